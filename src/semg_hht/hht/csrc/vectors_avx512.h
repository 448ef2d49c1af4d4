/* Eight doubles. */
#include <immintrin.h>
#define LANES 8
#define LANE_BITS 0xFFu
typedef __m512d vector;
typedef __m512i selection;
static inline vector load(const double *p) { return _mm512_loadu_pd(p); }
/* Four doubles; the other lanes are undefined. Such a load crosses cache lines half as often as one of eight. */
static inline vector load_four(const double *p) { return _mm512_castpd256_pd512(_mm256_loadu_pd(p)); }
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
/* front_order[bits]: numbers of the set bits in order, one byte each. A shuffle in this order is faster than a
 * compression by the bits, which costs several shuffles. */
#define PLACE(bits, b) ((uint64_t)((bits) >> (b) & 1) * (b) << 8 * __builtin_popcount((bits) & ((1 << (b)) - 1)))
#define PLACES(bits, b) PLACE(bits, b) | PLACE(bits, b + 1) | PLACE(bits, b + 2)
#define ORDER(bits) PLACES(bits, 1) | PLACES(bits, 4) | PLACE(bits, 7)
#define ORDERS_4(bits) ORDER(bits), ORDER((bits) + 1), ORDER((bits) + 2), ORDER((bits) + 3)
#define ORDERS_16(bits) ORDERS_4(bits), ORDERS_4((bits) + 4), ORDERS_4((bits) + 8), ORDERS_4((bits) + 12)
#define ORDERS_64(bits) ORDERS_16(bits), ORDERS_16((bits) + 16), ORDERS_16((bits) + 32), ORDERS_16((bits) + 48)
static const uint64_t front_order[256] = {ORDERS_64(0), ORDERS_64(64), ORDERS_64(128), ORDERS_64(192)};
/* The lanes whose bit is set, in order. */
static inline selection front(unsigned bits) {
    return _mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)&front_order[bits]));
}
/* For each lane, the number of set bits at or below it. */
static inline selection intervals(unsigned bits) {
    uint64_t spread_out = _pdep_u64(bits, 0x0101010101010101u), sums = spread_out * 0x0101010101010101u; /* one byte per lane */
    return _mm512_cvtepu8_epi64(_mm_cvtsi64_si128((long long)sums));
}
static inline vector choose(vector v, selection s) { return _mm512_permutexvar_pd(s, v); }
/* Lane i of vector k becomes lane k of vector i. */
static inline void transpose(vector v[8]) {
    for (int k = 0; k < 8; k += 2) {
        vector even = _mm512_unpacklo_pd(v[k], v[k + 1]), odd = _mm512_unpackhi_pd(v[k], v[k + 1]);
        v[k] = even;
        v[k + 1] = odd;
    }
    vector w[8];
    for (int k = 0; k < 2; k++) {
        vector a = _mm512_shuffle_f64x2(v[k], v[k + 2], 0x88), b = _mm512_shuffle_f64x2(v[k + 4], v[k + 6], 0x88);
        vector c = _mm512_shuffle_f64x2(v[k], v[k + 2], 0xDD), d = _mm512_shuffle_f64x2(v[k + 4], v[k + 6], 0xDD);
        w[k] = _mm512_shuffle_f64x2(a, b, 0x88);
        w[k + 4] = _mm512_shuffle_f64x2(a, b, 0xDD);
        w[k + 2] = _mm512_shuffle_f64x2(c, d, 0x88);
        w[k + 6] = _mm512_shuffle_f64x2(c, d, 0xDD);
    }
    for (int k = 0; k < 8; k++) v[k] = w[k];
}
/* Lanes 1 .. 7 of a, then lane 0 of b. */
static inline vector moved(vector a, vector b) {
    return _mm512_castsi512_pd(_mm512_alignr_epi64(_mm512_castpd_si512(b), _mm512_castpd_si512(a), 1));
}
