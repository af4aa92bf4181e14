// The thin device layer every kernel is written against: CUDA's own names where CUDA has them (threadIdx,
// __syncthreads,
// __shfl_xor_sync, atomicAdd), cambium::dev for the rest. It is the only place with PTX. One source, three
// compilations: nvcc for the GPU; g++ for the fast run on the CPU; g++ with instrumentation for the checked run
// (kernels/simt).
//
//   gpu/language.h   what a host compiler lacks: __global__, dim3, float4, and Site, the place of a call in the source
//   gpu/thread.h     indices, barriers, shuffles, votes
//   gpu/atomic.h     atomics and fences with order and scope, strong loads and stores, load_nc, vector loads
//   gpu/shared.h     the shared memory of a block as one struct of dev::Shared arrays
//   gpu/async.h      cp.async
//   gpu/matrix.h     ldmatrix and mma.sync as warp tiles
//   gpu/launch.h     launches, streams, events, device memory
//
// Each wrapper names its instruction and, in parentheses, the chapter and section of the manual "Parallel Thread
// Execution ISA", chapter 9.7 (its numbers change with every version, its titles do not).
#pragma once

#include "kernels/gpu/async.h"
#include "kernels/gpu/atomic.h"
#include "kernels/gpu/language.h"
#include "kernels/gpu/launch.h"
#include "kernels/gpu/matrix.h"
#include "kernels/gpu/shared.h"
#include "kernels/gpu/thread.h"
