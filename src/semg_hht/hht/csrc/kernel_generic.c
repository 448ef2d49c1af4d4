/* The kernel for any processor; on ARM64 the compiler itself uses NEON. */
#include "kernel.h"

#define ISA(name) name##_generic
#define LANES 1
#include <stdlib.h>
#include "sift.h"
#include "stream.h"
#include "noise.h"
#include "hilbert.h"
#include "spectrum.h"

const struct kernel kernel_generic = {"generic",         ISA(extract_mode), ISA(smallest_of), ISA(next_mode),
                                      ISA(add_trial), ISA(normals),      ISA(spectrum)};
