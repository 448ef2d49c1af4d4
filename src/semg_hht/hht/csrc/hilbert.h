/* Hilbert transform of two rows by one complex Fourier transform, in place. Included after lanes.h.
 *
 * The length is 8 m. Sample 8 t + l is number l of element t, so each pass over the m elements treats eight samples in
 * the same way. The passes leave the frequencies in the order of their digits; the tables of Python have the same
 * order, and the way back reads it, so nothing is sorted. */

#if LANES > 1
#define wide vector
#define WIDE LANES
#define LOAD(p) load(p)
#define STORE(p, v) store(p, v)
#define SPREAD(x) spread(x)
#else
#define wide lane
#define WIDE N_LANES
#define LOAD(p) (*(const lane *)(p))
#define STORE(p, v) (*(lane *)(p) = (v))
#define SPREAD(x) ((x) - (lane){0})
#endif

/* (a + i b) times c + i s */
#define TURN(a, b, c, s)             \
    do {                             \
        wide real_ = (a) * (c) - (b) * (s); \
        (b) = (a) * (s) + (b) * (c); \
        (a) = real_;                 \
    } while (0)

/* Forward transform of r = 2, 3, 4 or 5 numbers a[j] + i b[j]. */
ALWAYS_INLINE void ISA(butterfly)(const int r, wide *a, wide *b) {
    if (r == 2) {
        wide a1 = a[0] - a[1], b1 = b[0] - b[1];
        a[0] += a[1], b[0] += b[1];
        a[1] = a1, b[1] = b1;
    } else if (r == 3) {
        const double h = 0.86602540378443865;
        wide t0 = a[1] + a[2], t1 = b[1] + b[2], u0 = (a[1] - a[2]) * h, u1 = (b[1] - b[2]) * h;
        wide v0 = a[0] - t0 * 0.5, v1 = b[0] - t1 * 0.5;
        a[0] += t0, b[0] += t1;
        a[1] = v0 + u1, b[1] = v1 - u0;
        a[2] = v0 - u1, b[2] = v1 + u0;
    } else if (r == 4) {
        wide s0 = a[0] + a[2], s1 = b[0] + b[2], d0 = a[0] - a[2], d1 = b[0] - b[2];
        wide t0 = a[1] + a[3], t1 = b[1] + b[3], u0 = a[1] - a[3], u1 = b[1] - b[3];
        a[0] = s0 + t0, b[0] = s1 + t1;
        a[1] = d0 + u1, b[1] = d1 - u0;
        a[2] = s0 - t0, b[2] = s1 - t1;
        a[3] = d0 - u1, b[3] = d1 + u0;
    } else {
        const double c1 = 0.30901699437494742, c2 = -0.80901699437494742;
        const double s1 = 0.95105651629515357, s2 = 0.58778525229247313;
        wide t0 = a[1] + a[4], t1 = b[1] + b[4], u0 = a[2] + a[3], u1 = b[2] + b[3];
        wide v0 = a[1] - a[4], v1 = b[1] - b[4], z0 = a[2] - a[3], z1 = b[2] - b[3];
        wide m0 = a[0] + t0 * c1 + u0 * c2, m1 = b[0] + t1 * c1 + u1 * c2;
        wide n0 = a[0] + t0 * c2 + u0 * c1, n1 = b[0] + t1 * c2 + u1 * c1;
        wide k0 = v0 * s1 + z0 * s2, k1 = v1 * s1 + z1 * s2, l0 = v0 * s2 - z0 * s1, l1 = v1 * s2 - z1 * s1;
        a[0] = a[0] + t0 + u0, b[0] = b[0] + t1 + u1;
        a[1] = m0 + k1, b[1] = m1 - k0;
        a[2] = n0 + l1, b[2] = n1 - l0;
        a[3] = n0 - l1, b[3] = n1 + l0;
        a[4] = m0 - k1, b[4] = m1 + k0;
    }
}

/* Forward transform of eight numbers. */
ALWAYS_INLINE void ISA(eight)(wide *a, wide *b) {
    const double h = 0.70710678118654752;
    wide even_a[4] = {a[0], a[2], a[4], a[6]}, even_b[4] = {b[0], b[2], b[4], b[6]};
    wide odd_a[4] = {a[1], a[3], a[5], a[7]}, odd_b[4] = {b[1], b[3], b[5], b[7]};
    ISA(butterfly)(4, even_a, even_b);
    ISA(butterfly)(4, odd_a, odd_b);
    wide u0 = (odd_a[1] + odd_b[1]) * h, u1 = (odd_b[1] - odd_a[1]) * h;
    wide v0 = (odd_b[3] - odd_a[3]) * h, v1 = (odd_a[3] + odd_b[3]) * h;
    a[0] = even_a[0] + odd_a[0], b[0] = even_b[0] + odd_b[0];
    a[4] = even_a[0] - odd_a[0], b[4] = even_b[0] - odd_b[0];
    a[1] = even_a[1] + u0, b[1] = even_b[1] + u1;
    a[5] = even_a[1] - u0, b[5] = even_b[1] - u1;
    a[2] = even_a[2] + odd_b[2], b[2] = even_b[2] - odd_a[2];
    a[6] = even_a[2] - odd_b[2], b[6] = even_b[2] + odd_a[2];
    a[3] = even_a[3] + v0, b[3] = even_b[3] - v1;
    a[7] = even_a[3] - v0, b[7] = even_b[3] + v1;
}

/* One pass of radix r over blocks of r m elements, from first + i second to re + i im, which may be the same. On the way there the parts are turned after their butterfly, on the
 * way back before it; in the pass with m = 1 no part is turned. */
ALWAYS_INLINE void ISA(pass)(const struct fourier *f, const int r, const int before, const int after, int64_t m,
                             const double *first, const double *second, double *re, double *im) {
    int64_t block = r * m, apart = 8 * m, every = f->m / block;
    for (int64_t p = 0; p < m; p++) {
        wide c[5], s[5];
        if (before || after)
            for (int j = 1; j < r; j++) {
                const double *turn = f->turns + 2 * p * j * every;
                c[j] = SPREAD(turn[0]);
                s[j] = SPREAD(turn[1]);
            }
        for (int64_t start = p; start < f->m; start += block)
            for (int64_t h = 0; h < 8; h += WIDE) {
                const double *x = first + 8 * start + h, *y = second + 8 * start + h;
                double *to_x = re + 8 * start + h, *to_y = im + 8 * start + h;
                wide a[5], b[5];
                for (int j = 0; j < r; j++) {
                    a[j] = LOAD(x + j * apart);
                    b[j] = LOAD(y + j * apart);
                }
                if (before)
                    for (int j = 1; j < r; j++) TURN(a[j], b[j], c[j], s[j]);
                ISA(butterfly)(r, a, b);
                if (after)
                    for (int j = 1; j < r; j++) TURN(a[j], b[j], c[j], s[j]);
                for (int j = 0; j < r; j++) {
                    STORE(to_x + j * apart, a[j]);
                    STORE(to_y + j * apart, b[j]);
                }
            }
    }
}

#define PASS(r)                                                          \
    do {                                                                 \
        if (m == 1) ISA(pass)(f, r, 0, 0, m, first, second, re, im);     \
        else if (back) ISA(pass)(f, r, 1, 0, m, first, second, re, im);  \
        else ISA(pass)(f, r, 0, 1, m, first, second, re, im);            \
    } while (0)

static void ISA(any_pass)(const struct fourier *f, int64_t r, int back, int64_t m, const double *first,
                          const double *second, double *re, double *im) {
    if (r == 5) PASS(5);
    else if (r == 4) PASS(4);
    else if (r == 3) PASS(3);
    else PASS(2);
}

/* a[l]: number l of WIDE elements from x, of eight numbers each. */
ALWAYS_INLINE void ISA(read_numbers)(const double *x, wide *a) {
#if LANES > 1
    for (int k = 0; k < 8; k += LANES) {
        for (int i = 0; i < LANES; i++) a[k + i] = load(x + 8 * i + k);
        transpose(a + k);
    }
#else
    for (int l = 0; l < 8; l++)
        for (int i = 0; i < WIDE; i++) ((double *)&a[l])[i] = x[8 * i + l];
#endif
}

/* The reverse of read_numbers. */
ALWAYS_INLINE void ISA(write_numbers)(double *x, wide *a) {
#if LANES > 1
    for (int k = 0; k < 8; k += LANES) {
        transpose(a + k);
        for (int i = 0; i < LANES; i++) store(x + 8 * i + k, a[k + i]);
    }
#else
    for (int l = 0; l < 8; l++)
        for (int i = 0; i < WIDE; i++) x[8 * i + l] = ((const double *)&a[l])[i];
#endif
}

/* The last step there, the product with -i times the factors, and the first step back. The real and the imaginary part
 * change places, which turns the forward transform into the inverse. */
static void ISA(middle)(const struct fourier *f, double *re, double *im) {
    const double *table = f->table;
    for (int64_t i = 0; i < f->m; i += 8, table += TABLE_SIZE)
        for (int64_t h = 0; h < 8; h += WIDE) {
            double *x = re + 8 * (i + h), *y = im + 8 * (i + h);
            const double *turns = table + h - 16, *factors = table + h + 112;
            wide a[8], b[8];
            ISA(read_numbers)(x, a);
            ISA(read_numbers)(y, b);
            for (int l = 1; l < 8; l++) TURN(a[l], b[l], LOAD(turns + 16 * l), LOAD(turns + 16 * l + 8));
            ISA(eight)(a, b);
            for (int l = 0; l < 8; l++) {
                wide factor = LOAD(factors + 8 * l);
                a[l] = -(a[l] * factor);
                b[l] = b[l] * factor;
            }
            ISA(eight)(a, b);
            for (int l = 1; l < 8; l++) TURN(a[l], b[l], LOAD(turns + 16 * l), LOAD(turns + 16 * l + 8));
            ISA(write_numbers)(x, a);
            ISA(write_numbers)(y, b);
        }
}

/* Hilbert transforms of two rows of n samples: first ends in im, second in re. Both have 8 m numbers and room for 56
 * more. */
static void ISA(hilbert)(const struct fourier *f, const double *first, const double *second, int64_t n, double *re,
                         double *im) {
    int64_t m = f->m;
    if (n != 8 * m || f->n_radices == 0) { /* else the first pass reads the rows themselves */
        memcpy(re, first, sizeof(double) * (size_t)n);
        memcpy(im, second, sizeof(double) * (size_t)n);
        first = re;
        second = im;
    }
    size_t free_numbers = sizeof(double) * (size_t)(8 * m + 56 - n);
    memset(re + n, 0, free_numbers);
    memset(im + n, 0, free_numbers);
    for (int64_t i = 0; i < f->n_radices; i++) {
        m /= f->radices[i];
        ISA(any_pass)(f, f->radices[i], 0, m, i ? re : first, i ? im : second, re, im);
    }
    ISA(middle)(f, re, im);
    for (int64_t i = f->n_radices; i-- > 0; m *= f->radices[i]) ISA(any_pass)(f, f->radices[i], 1, m, re, im, re, im);
}
