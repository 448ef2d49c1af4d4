/* IMFs to a 256 x 256 grid in one pass: analytic signal, phase steps, energy of each cell. Included like sift.h. One
 * complex transform handles two IMFs, and the lanes of one vector hold four such transforms: eight IMFs at once (two without vector types). */

/* o = (a + i b) w for a complex number w. */
#define TURNED(o, a, b, w)           \
    do {                             \
        (o)[0] = (a) * (w)[0] - (b) * (w)[1]; \
        (o)[1] = (a) * (w)[1] + (b) * (w)[0]; \
    } while (0)

/* Stockham passes of radix 4, 2, 3, 5 and any other r: x (r, m, s) -> y (m, r, s), with complex elements. w holds
 * exp(-2 pi i k / n) for the whole length n = r m s. */
static void ISA(pass4)(const lane *restrict x, lane *restrict y, int64_t m, int64_t s, const double *restrict w) {
    int64_t far = 2 * s * m;
    for (int64_t p = 0; p < m; p++) {
        const double *w1 = w + 2 * p * s, *w2 = w + 4 * p * s, *w3 = w + 6 * p * s;
        for (int64_t q = 0; q < s; q++) {
            const lane *a = x + 2 * (q + s * p), *b = a + far, *c = b + far, *d = c + far;
            lane *o = y + 2 * (q + 4 * s * p);
            lane s0 = a[0] + c[0], s1 = a[1] + c[1], d0 = a[0] - c[0], d1 = a[1] - c[1];
            lane t0 = b[0] + d[0], t1 = b[1] + d[1], u0 = b[0] - d[0], u1 = b[1] - d[1];
            lane e0 = s0 - t0, e1 = s1 - t1, f0 = d0 + u1, f1 = d1 - u0, g0 = d0 - u1, g1 = d1 + u0;
            o[0] = s0 + t0;
            o[1] = s1 + t1;
            TURNED(o + 2 * s, f0, f1, w1);
            TURNED(o + 4 * s, e0, e1, w2);
            TURNED(o + 6 * s, g0, g1, w3);
        }
    }
}

static void ISA(pass2)(const lane *restrict x, lane *restrict y, int64_t m, int64_t s, const double *restrict w) {
    int64_t far = 2 * s * m;
    for (int64_t p = 0; p < m; p++)
        for (int64_t q = 0; q < s; q++) {
            const lane *a = x + 2 * (q + s * p), *b = a + far;
            lane *o = y + 2 * (q + 2 * s * p);
            lane e0 = a[0] - b[0], e1 = a[1] - b[1];
            o[0] = a[0] + b[0];
            o[1] = a[1] + b[1];
            TURNED(o + 2 * s, e0, e1, w + 2 * p * s);
        }
}

static void ISA(pass3)(const lane *restrict x, lane *restrict y, int64_t m, int64_t s, const double *restrict w) {
    int64_t far = 2 * s * m;
    const double h = 0.86602540378443865;
    for (int64_t p = 0; p < m; p++)
        for (int64_t q = 0; q < s; q++) {
            const lane *a = x + 2 * (q + s * p), *b = a + far, *c = b + far;
            lane *o = y + 2 * (q + 3 * s * p);
            lane t0 = b[0] + c[0], t1 = b[1] + c[1], u0 = (b[0] - c[0]) * h, u1 = (b[1] - c[1]) * h;
            lane v0 = a[0] - t0 * 0.5, v1 = a[1] - t1 * 0.5;
            lane f0 = v0 + u1, f1 = v1 - u0, g0 = v0 - u1, g1 = v1 + u0;
            o[0] = a[0] + t0;
            o[1] = a[1] + t1;
            TURNED(o + 2 * s, f0, f1, w + 2 * p * s);
            TURNED(o + 4 * s, g0, g1, w + 4 * p * s);
        }
}

static void ISA(pass5)(const lane *restrict x, lane *restrict y, int64_t m, int64_t s, const double *restrict w) {
    int64_t far = 2 * s * m;
    const double c1 = 0.30901699437494742, c2 = -0.80901699437494742, s1 = 0.95105651629515357, s2 = 0.58778525229247313;
    for (int64_t p = 0; p < m; p++)
        for (int64_t q = 0; q < s; q++) {
            const lane *a = x + 2 * (q + s * p), *b = a + far, *c = b + far, *d = c + far, *e = d + far;
            lane *o = y + 2 * (q + 5 * s * p);
            lane t0 = b[0] + e[0], t1 = b[1] + e[1], u0 = c[0] + d[0], u1 = c[1] + d[1];
            lane v0 = b[0] - e[0], v1 = b[1] - e[1], z0 = c[0] - d[0], z1 = c[1] - d[1];
            lane m0 = a[0] + t0 * c1 + u0 * c2, m1 = a[1] + t1 * c1 + u1 * c2;
            lane n0 = a[0] + t0 * c2 + u0 * c1, n1 = a[1] + t1 * c2 + u1 * c1;
            lane k0 = v0 * s1 + z0 * s2, k1 = v1 * s1 + z1 * s2, l0 = v0 * s2 - z0 * s1, l1 = v1 * s2 - z1 * s1;
            o[0] = a[0] + t0 + u0;
            o[1] = a[1] + t1 + u1;
            TURNED(o + 2 * s, (m0 + k1), (m1 - k0), w + 2 * p * s);
            TURNED(o + 4 * s, (n0 + l1), (n1 - l0), w + 4 * p * s);
            TURNED(o + 6 * s, (n0 - l1), (n1 + l0), w + 6 * p * s);
            TURNED(o + 8 * s, (m0 - k1), (m1 + k0), w + 8 * p * s);
        }
}

/* By definition: output k is the sum of x_j exp(-2 pi i j k / r), rotated by p k. */
static void ISA(pass_any)(const lane *restrict x, lane *restrict y, int64_t r, int64_t m, int64_t s,
                          const double *restrict w) {
    int64_t far = 2 * s * m;
    for (int64_t p = 0; p < m; p++)
        for (int64_t q = 0; q < s; q++)
            for (int64_t k = 0; k < r; k++) {
                const lane *a = x + 2 * (q + s * p);
                lane re = a[0], im = a[1];
                for (int64_t j = 1; j < r; j++) {
                    const double *v = w + 2 * (j * k % r) * (m * s);
                    a += far;
                    re += a[0] * v[0] - a[1] * v[1];
                    im += a[0] * v[1] + a[1] * v[0];
                }
                TURNED(y + 2 * (q + s * (r * p + k)), re, im, w + 2 * p * k * s);
            }
}

/* Forward transform of n points; the result is in x, and y is scratch space. */
static void ISA(transform)(lane *x, lane *y, int64_t n, const double *w) {
    lane *home = x;
    int64_t rest = n, s = 1;
    while (rest > 1) {
        int64_t r = 4;
        if (rest % 4)
            for (r = 2; rest % r;) r++;
        rest /= r;
        if (r == 4) ISA(pass4)(x, y, rest, s, w);
        else if (r == 2) ISA(pass2)(x, y, rest, s, w);
        else if (r == 3) ISA(pass3)(x, y, rest, s, w);
        else if (r == 5) ISA(pass5)(x, y, rest, s, w);
        else ISA(pass_any)(x, y, r, rest, s, w);
        s *= r;
        lane *swap = x;
        x = y;
        y = swap;
    }
    if (x != home) memcpy(home, x, sizeof(lane) * (size_t)(2 * n));
}

/* Transform of any length: directly, or as a convolution with a chirp (Bluestein 1970) for a large prime factor. */
static void ISA(fourier)(lane *x, lane *y, lane *z, const struct spectrum_task *k) {
    int64_t n = k->n, big = k->n_chirp;
    if (!big) {
        ISA(transform)(x, y, n, k->turns);
        return;
    }
    const double *c = k->chirp, *f = k->filter;
    for (int64_t i = 0; i < n; i++) TURNED(z + 2 * i, x[2 * i], x[2 * i + 1], c + 2 * i);
    memset(z + 2 * n, 0, sizeof(lane) * (size_t)(2 * (big - n)));
    ISA(transform)(z, y, big, k->turns);
    for (int64_t i = 0; i < big; i++) { /* times the filter; exchanged parts make the next transform the inverse */
        lane a = z[2 * i], b = z[2 * i + 1];
        z[2 * i + 1] = a * f[2 * i] - b * f[2 * i + 1];
        z[2 * i] = a * f[2 * i + 1] + b * f[2 * i];
    }
    ISA(transform)(z, y, big, k->turns);
    double scale = 1 / (double)big;
    for (int64_t i = 0; i < n; i++) {
        lane a = z[2 * i + 1] * scale, b = z[2 * i] * scale;
        TURNED(x + 2 * i, a, b, c + 2 * i);
    }
}

/* Hilbert transforms of up to 2 N_LANES rows, written to out (rows, n). */
static void ISA(hilbert)(const double *rows, int64_t n_rows, double *out, lane *x, lane *y, lane *z,
                         const struct spectrum_task *k) {
    int64_t n = k->n;
    double *flat = (double *)x; /* (n, 2, N_LANES): row l in part l / N_LANES, lane l % N_LANES */
    for (int64_t i = 0; i < n; i++)
        for (int64_t l = 0; l < 2 * N_LANES; l++) flat[2 * N_LANES * i + l] = l < n_rows ? rows[l * n + i] : 0;
    ISA(fourier)(x, y, z, k);
    /* Positive frequencies times -i, negative ones times i, zero and Nyquist frequency removed; stored with real and
     * imaginary part exchanged, which turns the next forward transform into the inverse. */
    double scale = 1 / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double sign = i == 0 || 2 * i == n ? 0 : 2 * i < n ? scale : -scale;
        x[2 * i] *= -sign;
        x[2 * i + 1] *= sign;
    }
    ISA(fourier)(x, y, z, k);
    for (int64_t l = 0; l < n_rows; l++) {
        const double *from = flat + (l < N_LANES ? l + N_LANES : l - N_LANES); /* the parts are still exchanged */
        double *row = out + l * n;
        for (int64_t i = 0; i < n; i++) row[i] = from[2 * N_LANES * i];
    }
}

/* Angle of x + i y without branches and with one division: the best polynomial of its degree, in the Chebyshev sense,
 * for the arc tangent of |z| <= tan(pi / 8); error below 3e-16. */
static inline double ISA(angle)(double y, double x) {
    double a = fabs(x), b = fabs(y), large = a > b ? a : b, small = a > b ? b : a;
    int upper = small > 0.41421356237309503 * large;
    double numerator = upper ? small - large : small, denominator = upper ? small + large : large;
    double z = numerator / (denominator > 0 ? denominator : 1), r = z * z;
    double p = ((((((((2.2750526993361672e-2 * r - 4.4833346222728831e-2) * r + 5.7363321659076425e-2) * r -
                     6.6496136952916693e-2) * r + 7.6910551583931493e-2) * r - 9.0908525571760494e-2) * r +
                  1.1111109636534361e-1) * r - 1.4285714266096618e-1) * r + 1.9999999999898408e-1) * r -
               3.3333333333333246e-1;
    double v = z + z * (r * p) + (upper ? 0.78539816339744828 : 0);
    v = b > a ? 1.5707963267948966 - v : v;
    v = x < 0 ? 3.1415926535897931 - v : v;
    return copysign(v, y);
}

#define BLOCK 512

/* Columns that a sample's interval overlaps: the first column, and the parts of the interval in it and the next. */
struct ISA(place) {
    int32_t *column;
    double *here, *next;
};

static void ISA(find_places)(int64_t n, struct ISA(place) *place) {
    double width = (double)N_BINS / (double)n; /* of an interval, in columns; at most 1 here */
    int32_t *restrict columns = place->column;
    double *restrict here = place->here, *restrict next = place->next;
    for (int64_t i = 0; i < n; i++) {
        double from = (double)i * width, to = from + width;
        int32_t column = (int32_t)from < N_BINS - 1 ? (int32_t)from : N_BINS - 1;
        double edge = (double)(column + 1);
        columns[i] = column;
        here[i] = to <= edge ? width : edge - from;
        next[i] = to <= edge || column == N_BINS - 1 ? 0 : to - edge;
    }
}

/* Adds the power of samples start.. to the grid for signals below 256 samples, whose intervals overlap many columns. */
static void ISA(add_wide)(const struct spectrum_task *k, int64_t start, int64_t count, const int32_t *row,
                          const double *power) {
    double width = (double)N_BINS / (double)k->n;
    for (int64_t i = 0; i < count; i++) {
        double from = (double)(start + i) * width, to = from + width;
        int64_t column = (int64_t)from < N_BINS - 1 ? (int64_t)from : N_BINS - 1;
        for (; column < N_BINS && (double)column < to; column++) {
            double right = to < (double)(column + 1) ? to : (double)(column + 1);
            double left = from > (double)column ? from : (double)column;
            if (right > left) k->grid[row[i] + column] += power[i] * (right - left);
        }
    }
}

static void ISA(into_cells)(struct spectrum_task *k, const double *re, const double *im, const struct ISA(place) *place,
                            double *outside, double *energy) {
    int64_t n = k->n;
    double scale = N_BINS / (k->high_hz - k->low_hz), to_hz = k->rate_hz / 6.283185307179586;
    double low_hz = k->low_hz, high_hz = k->high_hz;
    double step[BLOCK + 1], power[BLOCK]; /* power: in the band */
    int32_t cell[BLOCK];                  /* first cell of the row; row 0 for power outside the band, which adds 0 */
    double lost[8] = {0}, sum[8] = {0}, missed[BLOCK], before = 0;
    for (int64_t start = 0; start < n; start += BLOCK) {
        int64_t count = n - start < BLOCK ? n - start : BLOCK, steps = start + count < n ? count : count - 1;
        const double *restrict a = re + start, *restrict b = im + start;
        for (int64_t i = 0; i < steps; i++) /* step to the next sample */
            step[i + 1] = ISA(angle)(a[i] * b[i + 1] - b[i] * a[i + 1], a[i] * a[i + 1] + b[i] * b[i + 1]);
        step[0] = start > 0 ? before : step[1]; /* one-sided at the ends */
        if (steps < count) step[count] = step[count - 1];
        before = step[count];
        for (int64_t i = 0; i < count; i++) {
            double hz = (step[i] + step[i + 1]) / 2 * to_hz, row = floor((hz - low_hz) * scale);
            row = hz == high_hz ? N_BINS - 1 : row; /* the last bin includes its upper edge */
            double all = (a[i] * a[i] + b[i] * b[i]) / 2;
            int inside = (row >= 0) & (row < N_BINS); /* false for NaN */
            power[i] = inside ? all : 0;
            missed[i] = inside ? 0 : all;
            cell[i] = (int32_t)(inside ? row : 0) * N_BINS;
        }
        for (int64_t i = count; i < (count + 7) / 8 * 8; i++) power[i] = missed[i] = 0;
        for (int64_t i = 0; i < count; i += 8)
            for (int j = 0; j < 8; j++) {
                lost[j] += missed[i + j];
                sum[j] += power[i + j];
            }
        if (n < N_BINS) {
            ISA(add_wide)(k, start, count, cell, power);
            continue;
        }
        const int32_t *column = place->column + start;
        const double *here = place->here + start, *next = place->next + start;
        for (int64_t i = 0; i < count; i++) {
            double *cells = k->grid + cell[i] + column[i];
            cells[0] += power[i] * here[i];
            if (next[i] > 0) cells[1] += power[i] * next[i];
        }
    }
    for (int j = 0; j < 8; j++) {
        *outside += lost[j];
        *energy += sum[j] + lost[j];
    }
}

static int ISA(spectrum)(struct spectrum_task *k) {
    int64_t n = k->n, longest = k->n_chirp ? k->n_chirp : n, at_once = 2 * N_LANES;
    size_t plane = (size_t)(at_once * longest); /* doubles */
    double *memory = malloc(sizeof(double) * ((size_t)((at_once + 3) * n) + 3 * plane));
    if (!memory) return -1;
    double *imaginary = memory, *x = imaginary + at_once * n, *y = x + plane, *z = y + plane;
    struct ISA(place) place = {.here = z + plane, .next = z + plane + n, .column = (int32_t *)(z + plane + 2 * n)};
    if (n >= N_BINS) ISA(find_places)(n, &place);
    double outside = 0, energy = 0;
    for (int64_t first = 0; first < k->n_imfs; first += at_once) {
        int64_t rows = k->n_imfs - first < at_once ? k->n_imfs - first : at_once;
        const double *imfs = k->imfs + first * n;
        ISA(hilbert)(imfs, rows, imaginary, (lane *)x, (lane *)y, (lane *)z, k);
        for (int64_t r = 0; r < rows; r++)
            ISA(into_cells)(k, imfs + r * n, imaginary + r * n, &place, &outside, &energy);
    }
    k->dropped = energy > 0 ? outside / energy : 0;
    free(memory);
    return 0;
}
