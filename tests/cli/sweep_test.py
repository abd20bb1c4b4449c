"""Sweeps: the grid's CSV, whoever ran which point when; interruptions; what is refused."""
import csv
import fcntl
import json
import resource
import signal
import subprocess
import time

import harness

np = harness.np
SMALL = ("run", "promotion_interval", "--smoke")
GRID = ("--sweep", "seed=1..3", "--sweep", "k=128,256")
NAME = "promotion_interval_sweep"


def rows(path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return list(csv.reader(lines))


class Sweep(harness.CommandTest):
    def journal(self, out="out"):
        return self.folder / out / f"{NAME}.journal"

    def table(self, out="out"):
        return self.folder / out / f"{NAME}.csv"

    def finished(self):
        return [json.loads(line) for line in self.journal().read_text().splitlines()[1:]]

    def interrupted(self, keep):
        """Leaves the journal of a sweep of which `keep` points are finished; returns the CSV that
        the whole sweep would have made."""
        self.succeeds(*SMALL, *GRID)
        whole = self.table().read_bytes()
        self.table().unlink()
        self.table().mkdir()  # so that the CSV cannot take the journal's place
        done = self.run_binade(*SMALL, *GRID, "--threads", "1")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^error: .*a directory.*; 6 of 6 grid points are kept in .*\n$")
        self.table().rmdir()
        lines = self.journal().read_text().splitlines(keepends=True)
        self.journal().write_text("".join(lines[:1 + keep]))
        return whole

    def test_the_rows_are_those_of_single_runs(self):
        out = self.succeeds(*SMALL, *GRID)
        self.assertEqual(out, f"out/{NAME}.csv\n  6 grid points\n")
        self.assertEqual([path.name for path in (self.folder / "out").iterdir()], [f"{NAME}.csv"])
        header, *body = rows(self.table())
        self.assertEqual(header[:2], ["sweep_seed", "sweep_k"])
        expected = []
        for seed in "123":
            for k in ("128", "256"):
                self.succeeds(*SMALL, "--seed", seed, "--k", k)
                single = rows(self.folder / "out/promotion_interval.csv")
                self.assertEqual(header[2:], single[0])
                expected += [[seed, k, *row] for row in single[1:]]
        self.assertEqual(body, expected)
        first = self.table().read_text().splitlines()[0]
        self.assertRegex(first, r"^# binade \S+; command: binade run promotion_interval .*--sweep "
                                r"seed=1..3 .*; seed: swept; isa: .*; device: ")

    def test_threads_do_not_show(self):
        self.succeeds(*SMALL, *GRID, "--threads", "1", "--out", "one")
        self.succeeds(*SMALL, *GRID, "--threads", "5", "--out", "five")
        self.assertEqual(*(rows(self.table(out)) for out in ("one", "five")))

    def test_fixed_lists_stay_lists(self):
        self.succeeds(*SMALL, "--sweep", "seed=1", "--k", "64,128")
        self.assertEqual({row[3] for row in rows(self.table())[1:]}, {"64", "128"})

    def test_what_is_finished_is_not_run_again(self):
        whole = self.interrupted(4)
        kept = self.journal().read_text().replace('"hopper.wgmma', '"kept.from.before')
        self.journal().write_text(kept.replace('"kept.from.before', '"hopper.wgmma', 1))  # a setting
        out = self.succeeds(*SMALL, *GRID)
        self.assertIn("6 grid points, of which 4 were kept from before", out)
        text = self.table().read_text()
        self.assertEqual(text.replace("kept.from.before", "hopper.wgmma").encode(), whole)
        self.assertEqual(text.count("kept.from.before"), 2 * whole.count(b"hopper.wgmma") // 3)
        self.assertFalse(self.journal().exists())

    def test_torn_lines_are_run_again(self):
        whole = self.interrupted(4)
        text = self.journal().read_bytes()
        last = text.rindex(b"\n", 0, -1) + 1
        for torn in (text[:last + 1], text[:-1], text[:-20], text[:last] + b"\0" * 99 + b"\n",
                     text[:last] + b"\0\n" * 3 + b"{", b"", text[:5]):
            with self.subTest(end=torn[-30:]):
                self.journal().write_bytes(torn)
                self.succeeds(*SMALL, *GRID)
                self.assertEqual(self.table().read_bytes(), whole)

    def test_killed_and_taken_up(self):
        """However often it dies, it goes on; each point is finished once."""
        grid = ("run", "outlier_damage", "--rows", "256", "--cols", "512", "--sweep", "seed=1..24")
        path = self.folder / "out/outlier_damage_sweep.journal"
        kills, counts = 0, [0]
        for sign in [signal.SIGKILL, signal.SIGINT, signal.SIGTERM] * 2:
            process = subprocess.Popen([harness.BINADE, *grid, "--threads", "2"], cwd=self.folder,
                                       stdout=subprocess.DEVNULL)
            until = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < until:
                count = path.read_bytes().count(b"\n") - 1 if path.exists() else 0
                if count >= counts[-1] + 2:
                    process.send_signal(sign)
                    break
                time.sleep(0.002)
            if process.wait() != 0:
                kills += 1
                points = [json.loads(line)["point"] for line in
                          path.read_bytes().split(b"\n")[1:-1]]
                self.assertEqual(len(points), len(set(points)))
                self.assertGreaterEqual(len(points), counts[-1] + 2)
                counts.append(len(points))
        self.assertGreaterEqual(kills, 2)
        self.succeeds(*grid, "--threads", "2")
        again = (self.folder / "out/outlier_damage_sweep.csv").read_bytes()
        self.succeeds(*grid, "--threads", "2")
        self.assertEqual((self.folder / "out/outlier_damage_sweep.csv").read_bytes(), again)

    def test_another_sweep_is_refused(self):
        self.interrupted(2)
        for needle, words in [
                ("sweep k 128, 256, this one has 128, 512", ("--sweep", "seed=1..3", "--sweep",
                                                            "k=128,512")),
                ("sweep seed, k, this one has k, seed", ("--sweep", "k=128,256", "--sweep", "seed=1..3")),
                ("m 16, this one has 8", (*GRID, "--m", "8")),
                ("tensor none, this one has x.npy [256, 256]", (*GRID, "--tensor", "x.npy"))]:
            self.fails(1, needle, *SMALL, *words)
        text = self.journal().read_text()
        for needle, wrong in [
                ("binade 9.", text.replace('"binade":"0.', '"binade":"9.')),
                ("no journal", "[]\n"), ("line 2", text.replace('"point":0', '"point":6')),
                ("line 3", text.replace('"point":1', '"pint":1')),
                ("line 2", text.replace('"rows":[[', '"rows":[["",', 1)),
                ("line 2", text.replace('{"point":0', '{"poi'))]:
            with self.subTest(needle=needle):
                self.journal().write_text(wrong)
                self.fails(1, needle, *SMALL, *GRID)

    def test_another_tensor_is_another_sweep(self):
        self.save("t.npy", self.load("x.npy")[:4])
        words = ("run", "promotion_interval", "--smoke", "--sweep", "seed=1,2", "--tensor", "t.npy")
        self.succeeds(*words)
        self.save("t.npy", self.load("x.npy")[4:8])
        done = self.run_binade(*words, "--sweep", "n=4,-1")
        self.assertEqual(done.returncode, 1)
        self.save("t.npy", self.load("x.npy")[:4])
        self.fails(1, "tensor t.npy [4, 256]", *words, "--sweep", "n=4,-1")

    def test_one_process_at_a_time(self):
        self.interrupted(2)
        with open(self.journal()) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.fails(1, "another process is at work", *SMALL, *GRID)

    def test_a_point_that_fails_keeps_the_others(self):
        done = self.run_binade(*SMALL, "--sweep", "k=128,256,0", "--threads", "1")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn("at k = 0: parameter k: found 0", done.stderr)
        self.assertIn("2 of 3 grid points are kept", done.stderr)
        self.assertEqual([point["point"] for point in self.finished()], [0, 1])
        self.assertFalse(self.table().exists())
        self.fails(2, "at k = 0", *SMALL, "--sweep", "k=0", "--out", "other")

    def test_a_full_disk_keeps_whole_lines(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
        words = (*SMALL, "--sweep", "seed=1..9", "--threads", "1")
        done = self.run_binade(*words, preexec_fn=limit)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^error: .*File too large; [1-8] of 9 grid points are kept in .*\n$")
        self.assertTrue(self.finished())
        self.assertIn("were kept", self.succeeds(*words))

    def test_wrong_usage(self):
        for needle, words in [
                ("NAME=VALUES", ["--sweep", "seed"]), ("none empty", ["--sweep", "seed="]),
                ("smaller end first", ["--sweep", "seed=3..1"]),
                ("no parameter 'size'", ["--sweep", "size=1"]),
                ("twice", ["--sweep", "seed=1,1"]), ("swept twice", [*GRID, "--sweep", "seed=5"]),
                ("both given and swept", [*GRID, "--seed", "1"]),
                ("found 'e9'", ["--sweep", "format=e4m3,e9"]),
                ("fewer", ["--sweep", "seed=1..2000", "--sweep", "k=1..2000"]),
                ("no plot", [*GRID, "--plot"])]:
            self.fails(2, needle, *SMALL, *words)
        self.fails(1, "cannot make the directory", *SMALL, *GRID, "--out", "x.npy")
        self.succeeds(*SMALL, *GRID)
        self.fails(1, "holds a sweep", "plot", self.table())


if __name__ == "__main__":
    harness.main()
