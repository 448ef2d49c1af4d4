/* Four doubles that pass through the same operations, or one if the compiler has no vector types. Compiled for each
 * instruction set, before sift.h and spectrum.h. */
#if defined(__GNUC__)
typedef double ISA(lane) __attribute__((vector_size(32), aligned(8)));
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#else
typedef double ISA(lane);
#define ALWAYS_INLINE static inline
#endif
#define lane ISA(lane)
#define N_LANES ((int64_t)(sizeof(lane) / sizeof(double)))

/* Numbers i .. i + 3 of four arrays; those of even arrays follow the pointer, those of odd arrays precede it. number[k]
 * receives the k-th number of each array. Only arrays first .. first + N_LANES - 1 are read. */
static inline void ISA(read_four)(const double *const *from, int first, int64_t i, lane *number) {
#if LANES > 1
    (void)first;
    __m256d a = _mm256_loadu_pd(from[0] + i), b = _mm256_loadu_pd(from[1] - i - 3);
    __m256d c = _mm256_loadu_pd(from[2] + i), d = _mm256_loadu_pd(from[3] - i - 3);
    __m256d early = _mm256_permute2f128_pd(a, c, 0x20), late = _mm256_permute2f128_pd(a, c, 0x31);
    __m256d turned_early = _mm256_permute2f128_pd(b, d, 0x31), turned_late = _mm256_permute2f128_pd(b, d, 0x20);
    number[0] = (lane)_mm256_shuffle_pd(early, turned_early, 0xA);
    number[1] = (lane)_mm256_shuffle_pd(early, turned_early, 0x5);
    number[2] = (lane)_mm256_shuffle_pd(late, turned_late, 0xA);
    number[3] = (lane)_mm256_shuffle_pd(late, turned_late, 0x5);
#else
    for (int k = 0; k < 4; k++)
        for (int l = 0; l < N_LANES; l++) {
            const double *array = from[first + l];
            ((double *)&number[k])[l] = (first + l) % 2 ? array[-i - k] : array[i + k];
        }
#endif
}

/* The reverse of read_four. */
static inline void ISA(write_four)(double *const *to, int first, int64_t i, const lane *number) {
#if LANES > 1
    (void)first;
    __m256d n0 = (__m256d)number[0], n1 = (__m256d)number[1], n2 = (__m256d)number[2], n3 = (__m256d)number[3];
    __m256d early = _mm256_unpacklo_pd(n0, n1), late = _mm256_unpacklo_pd(n2, n3);
    __m256d turned_early = _mm256_unpackhi_pd(n1, n0), turned_late = _mm256_unpackhi_pd(n3, n2);
    _mm256_storeu_pd(to[0] + i, _mm256_permute2f128_pd(early, late, 0x20));
    _mm256_storeu_pd(to[1] - i - 3, _mm256_permute2f128_pd(turned_late, turned_early, 0x20));
    _mm256_storeu_pd(to[2] + i, _mm256_permute2f128_pd(early, late, 0x31));
    _mm256_storeu_pd(to[3] - i - 3, _mm256_permute2f128_pd(turned_late, turned_early, 0x31));
#else
    for (int k = 0; k < 4; k++)
        for (int l = 0; l < N_LANES; l++)
            to[first + l][(first + l) % 2 ? -i - k : i + k] = ((const double *)&number[k])[l];
#endif
}

static inline void ISA(write_one)(double *const *to, int first, int64_t i, const lane *number) {
    for (int l = 0; l < N_LANES; l++) to[first + l][(first + l) % 2 ? -i : i] = ((const double *)number)[l];
}
