/* Eight doubles. */
#include <immintrin.h>
#define LANES 8
#define LANE_BITS 0xFFu
typedef __m512d vector;
typedef __m512i selection;
static inline vector load(const double *p) { return _mm512_loadu_pd(p); }
static inline void store(double *p, vector v) { _mm512_storeu_pd(p, v); }
static inline void store_half(double *p, vector v) { _mm256_storeu_pd(p, _mm512_castpd512_pd256(v)); }
static inline vector spread(double x) { return _mm512_set1_pd(x); }
static inline vector zeros(void) { return _mm512_setzero_pd(); }
static inline vector first_positions(void) { return _mm512_setr_pd(0, 1, 2, 3, 4, 5, 6, 7); }
static inline vector advance(vector v) { return _mm512_add_pd(v, _mm512_set1_pd(8)); }
static inline vector plus(vector a, vector b) { return _mm512_add_pd(a, b); }
static inline vector minus(vector a, vector b) { return _mm512_sub_pd(a, b); }
static inline vector times(vector a, vector b) { return _mm512_mul_pd(a, b); }
static inline vector fused(vector a, vector b, vector c) { return _mm512_fmadd_pd(a, b, c); }
static inline vector lower(vector a, vector b) { return _mm512_min_pd(a, b); }
static inline vector higher(vector a, vector b) { return _mm512_max_pd(a, b); }
static inline double total(vector v) { return _mm512_reduce_add_pd(v); }
static inline unsigned above(vector a, vector b) { return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ); }
/* The lanes whose bit is set, moved to the front. */
static inline vector squeeze(unsigned bits, vector v) { return _mm512_maskz_compress_pd((__mmask8)bits, v); }
/* For each lane, the number of set bits at or below it. */
static inline selection intervals(unsigned bits) {
    uint64_t spread_out = _pdep_u64(bits, 0x0101010101010101u), sums = spread_out * 0x0101010101010101u; /* one byte per lane */
    return _mm512_cvtepu8_epi64(_mm_cvtsi64_si128((long long)sums));
}
static inline vector choose(vector v, selection s) { return _mm512_permutexvar_pd(s, v); }
