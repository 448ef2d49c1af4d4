/* Four doubles. */
#include <immintrin.h>
#define LANES 4
#define LANE_BITS 0xFu
typedef __m256d vector;
typedef __m256i selection;
static inline vector load(const double *p) { return _mm256_loadu_pd(p); }
static inline vector load_four(const double *p) { return load(p); }
static inline void store(double *p, vector v) { _mm256_storeu_pd(p, v); }
static inline void store_half(double *p, vector v) { _mm_storeu_pd(p, _mm256_castpd256_pd128(v)); }
static inline vector spread(double x) { return _mm256_set1_pd(x); }
static inline vector zeros(void) { return _mm256_setzero_pd(); }
static inline vector first_positions(void) { return _mm256_setr_pd(0, 1, 2, 3); }
static inline vector advance(vector v) { return _mm256_add_pd(v, _mm256_set1_pd(4)); }
static inline vector plus(vector a, vector b) { return _mm256_add_pd(a, b); }
static inline vector minus(vector a, vector b) { return _mm256_sub_pd(a, b); }
static inline vector times(vector a, vector b) { return _mm256_mul_pd(a, b); }
static inline vector fused(vector a, vector b, vector c) { return _mm256_fmadd_pd(a, b, c); }
static inline vector lower(vector a, vector b) { return _mm256_min_pd(a, b); }
static inline vector higher(vector a, vector b) { return _mm256_max_pd(a, b); }
static inline double total(vector v) {
    __m128d s = _mm_add_pd(_mm256_castpd256_pd128(v), _mm256_extractf128_pd(v, 1));
    return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}
static inline unsigned above(vector a, vector b) { return (unsigned)_mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_GT_OQ)); }
/* The only shuffle with a variable order works on 32-bit halves of a double. */
#define HALVES(a, b, c, d) {2 * a, 2 * a + 1, 2 * b, 2 * b + 1, 2 * c, 2 * c + 1, 2 * d, 2 * d + 1}
static const int32_t front_order[16][8] = {
    HALVES(0, 0, 0, 0), HALVES(0, 0, 0, 0), HALVES(1, 0, 0, 0), HALVES(0, 1, 0, 0),
    HALVES(2, 0, 0, 0), HALVES(0, 2, 0, 0), HALVES(1, 2, 0, 0), HALVES(0, 1, 2, 0),
    HALVES(3, 0, 0, 0), HALVES(0, 3, 0, 0), HALVES(1, 3, 0, 0), HALVES(0, 1, 3, 0),
    HALVES(2, 3, 0, 0), HALVES(0, 2, 3, 0), HALVES(1, 2, 3, 0), HALVES(0, 1, 2, 3)};
static const int32_t interval_order[16][8] = {
    HALVES(0, 0, 0, 0), HALVES(1, 1, 1, 1), HALVES(0, 1, 1, 1), HALVES(1, 2, 2, 2),
    HALVES(0, 0, 1, 1), HALVES(1, 1, 2, 2), HALVES(0, 1, 2, 2), HALVES(1, 2, 3, 3),
    HALVES(0, 0, 0, 1), HALVES(1, 1, 1, 2), HALVES(0, 1, 1, 2), HALVES(1, 2, 2, 3),
    HALVES(0, 0, 1, 2), HALVES(1, 1, 2, 3), HALVES(0, 1, 2, 3), HALVES(1, 2, 3, 3)};
static inline vector choose(vector v, selection s) {
    return _mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(v), s));
}
/* The lanes whose bit is set, in order. */
static inline selection front(unsigned bits) { return _mm256_loadu_si256((const __m256i *)front_order[bits]); }
/* For each lane, the number of set bits at or below it. */
static inline selection intervals(unsigned bits) { return _mm256_loadu_si256((const __m256i *)interval_order[bits]); }
/* Lane i of vector k becomes lane k of vector i. */
static inline void transpose(vector v[4]) {
    vector a = _mm256_unpacklo_pd(v[0], v[1]), b = _mm256_unpackhi_pd(v[0], v[1]);
    vector c = _mm256_unpacklo_pd(v[2], v[3]), d = _mm256_unpackhi_pd(v[2], v[3]);
    v[0] = _mm256_permute2f128_pd(a, c, 0x20);
    v[1] = _mm256_permute2f128_pd(b, d, 0x20);
    v[2] = _mm256_permute2f128_pd(a, c, 0x31);
    v[3] = _mm256_permute2f128_pd(b, d, 0x31);
}
/* Lanes 1 .. 3 of a, then lane 0 of b. */
static inline vector moved(vector a, vector b) { return _mm256_shuffle_pd(a, _mm256_permute2f128_pd(a, b, 0x21), 0x5); }
