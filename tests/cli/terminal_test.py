"""What a terminal shows and a pipe does not: colours, and the progress of long runs."""
import os
import pty
import re
import subprocess

import harness

BITS = ("bits", "1.3", "--format", "e4m3")
SGR = re.compile("\x1b\\[[0-9;]*m")


class Terminal(harness.CommandTest):
    def on_terminal(self, *words, stream="stdout", **environment):
        """What the command writes to a pseudo-terminal in place of `stream`."""
        try:
            master, slave = pty.openpty()
        except OSError as error:
            self.skipTest(f"no pseudo-terminal here: {error}")
        env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: slave}
        process = subprocess.Popen([harness.BINADE, *words], cwd=self.folder,
                                   env={**env, "TERM": "xterm", **environment}, **streams)
        os.close(slave)
        text = b""
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            text += part
        os.close(master)
        self.assertEqual(process.wait(), 0)
        return text.decode().replace("\r\n", "\n")

    def test_fields_have_colours(self):
        shown = self.on_terminal(*BITS)
        self.assertIn("\x1b[35m0\x1b[0m \x1b[34m0111\x1b[0m \x1b[33m010\x1b[0m", shown)
        self.assertEqual(SGR.sub("", shown), self.succeeds(*BITS))  # aligned as without

    def test_lost_bits_have_a_colour(self):
        words = ("explain", "--instruction", "hopper.wgmma.f32.e4m3.e4m3", "a.npy", "b.npy", "c.npy",
                 "--row", "0")
        shown = self.on_terminal(*words)
        self.assertRegex(shown, r"\| \x1b\[31m[01]+(\.\.\.)?\x1b\[0m")
        self.assertEqual(SGR.sub("", shown), self.succeeds(*words))

    def test_no_colour_where_it_is_not_wanted(self):
        plain = self.succeeds(*BITS)
        self.assertNotIn("\x1b", plain)
        self.assertEqual(self.on_terminal(*BITS, NO_COLOR="1"), plain)
        self.assertEqual(self.on_terminal(*BITS, TERM="dumb"), plain)
        self.assertNotEqual(self.on_terminal(*BITS, NO_COLOR=""), plain)  # empty is not set

    def test_progress_says_how_much_is_left(self):
        shown = self.on_terminal("run", "promotion_interval", "--k", "16384", "--out", "out",
                                 stream="stderr")
        self.assertRegex(shown, r"promotion_interval  \d+ %  \d+ (s|min) left")
        self.assertTrue(shown.endswith("\r\x1b[K"), "the line is wiped at the end")


if __name__ == "__main__":
    harness.main()
