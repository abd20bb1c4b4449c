"""Which bits of a dot product does the tensor core drop?"""
import binade

a = binade.encode([1.5, 0.25, 1.0], "e4m3")
b = binade.encode([1.5, 0.25, 0.015625], "e4m3")
hopper = binade.instruction("hopper.wgmma.f32.e4m3.e4m3")
print(binade.explain(a, b, 2.0**-12, instruction=hopper))
print(hopper.verified, binade.Format("e4m3").neighbours(1.3))

# Prints:
# hopper.wgmma.f32.e4m3.e4m3, k = 3
# step 1 of 1, largest exponent 0, last place kept 2^-13
#     k = 0  +10.0100000000000 |
#     k = 1   +0.0001000000000 |
#     k = 2   +0.0000010000000 |
#         C   +0.0000000000010 |
#       sum  +10.0101010000010 |
#   and 29 zero terms
# result 2.328369140625
# True (1.25, 1.375)
