// Access patterns whose bank conflicts and sectors are known from the hardware's rules.
#pragma once

namespace cambium::test {

void read_shared_with_stride(int bytes, int stride);  // one warp, 4, 8 or 16 bytes a lane, stride in elements
void read_shared_matrices(int pitch, int swizzle);  // ldmatrix, rows `pitch` bytes apart, unit XORed with row & swizzle
void read_global_with_stride(int bytes, int stride, int offset);

}  // namespace cambium::test
