/* The kernel for x86 processors with AVX512; module.c checks the processor before it uses this build. */
#include "kernel.h"

#ifdef HAVE_X86_BUILDS
#include <immintrin.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi,bmi2,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi,bmi2,popcnt")
#endif

#define ISA(name) name##_avx512
#include "vectors_avx512.h"
#include "sift.h"
#include "stream.h"
#include "noise.h"
#include "hilbert.h"
#include "spectrum.h"

const struct kernel kernel_avx512 = {"avx512",         ISA(extract_mode), ISA(smallest_of), ISA(next_mode),
                                     ISA(add_trial), ISA(normals),      ISA(spectrum)};

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
