/* IMFs to a 256 x 256 grid in one pass: analytic signal, phase steps, energy into cells. Included like sift.h.
 * Two IMFs ride in one complex transform, four such transforms in the lanes of one vector. */

/* One Stockham pass of radix r: x is (r, m, s) and y (m, r, s), each element L complex numbers, real parts first. */
ALWAYS_INLINE void ISA(pass)(const double *restrict x, double *restrict y, int64_t r,
                                                            int64_t m, int64_t s, const double *restrict w, int L) {
    int64_t width = 2 * L, far = s * m * width;
    for (int64_t p = 0; p < m; p++) {
        for (int64_t q = 0; q < s; q++) {
            const double *in = x + (q + s * p) * width;
            double *out = y + (q + s * r * p) * width;
            if (r == 4) {
                const double *w1 = w + 2 * p * s, *w2 = w + 4 * p * s, *w3 = w + 6 * p * s;
                for (int l = 0; l < L; l++) {
                    const double *a = in + l, *b = a + far, *c = b + far, *d = c + far;
                    double s0 = a[0] + c[0], s1 = a[L] + c[L], d0 = a[0] - c[0], d1 = a[L] - c[L];
                    double t0 = b[0] + d[0], t1 = b[L] + d[L], u0 = b[0] - d[0], u1 = b[L] - d[L];
                    double e0 = s0 - t0, e1 = s1 - t1, f0 = d0 + u1, f1 = d1 - u0, g0 = d0 - u1, g1 = d1 + u0;
                    double *o = out + l, *o1 = o + s * width, *o2 = o1 + s * width, *o3 = o2 + s * width;
                    o[0] = s0 + t0;
                    o[L] = s1 + t1;
                    o1[0] = f0 * w1[0] - f1 * w1[1];
                    o1[L] = f0 * w1[1] + f1 * w1[0];
                    o2[0] = e0 * w2[0] - e1 * w2[1];
                    o2[L] = e0 * w2[1] + e1 * w2[0];
                    o3[0] = g0 * w3[0] - g1 * w3[1];
                    o3[L] = g0 * w3[1] + g1 * w3[0];
                }
            } else if (r == 2) {
                const double *w1 = w + 2 * p * s;
                for (int l = 0; l < L; l++) {
                    const double *a = in + l, *b = a + far;
                    double e0 = a[0] - b[0], e1 = a[L] - b[L];
                    double *o = out + l, *o1 = o + s * width;
                    o[0] = a[0] + b[0];
                    o[L] = a[L] + b[L];
                    o1[0] = e0 * w1[0] - e1 * w1[1];
                    o1[L] = e0 * w1[1] + e1 * w1[0];
                }
            } else {
                /* Any other radix by its definition: output k sums x_j exp(-2 pi i j k / r), then turns by p k. */
                for (int64_t k = 0; k < r; k++) {
                    double sum[2 * 4] = {0};
                    for (int64_t j = 0; j < r; j++) {
                        const double *v = w + 2 * (j * k % r) * (m * s), *a = in + j * far;
                        for (int l = 0; l < L; l++) {
                            sum[l] += a[l] * v[0] - a[L + l] * v[1];
                            sum[L + l] += a[l] * v[1] + a[L + l] * v[0];
                        }
                    }
                    const double *v = w + 2 * p * k * s;
                    double *o = out + k * s * width;
                    for (int l = 0; l < L; l++) {
                        o[l] = sum[l] * v[0] - sum[L + l] * v[1];
                        o[L + l] = sum[l] * v[1] + sum[L + l] * v[0];
                    }
                }
            }
        }
    }
}

/* Forward transform of n points; w holds exp(-2 pi i k / n). The result is in x; y is scratch. */
ALWAYS_INLINE void ISA(transform)(double *x, double *y, int64_t n, const double *w,
                                                                 int L) {
    double *home = x;
    int64_t rest = n, s = 1;
    while (rest > 1) {
        int64_t r = 4;
        if (rest % 4) {
            r = 2;
            while (rest % r) r++;
        }
        rest /= r;
        if (r == 4) ISA(pass)(x, y, 4, rest, s, w, L);
        else if (r == 2) ISA(pass)(x, y, 2, rest, s, w, L);
        else if (r == 3) ISA(pass)(x, y, 3, rest, s, w, L);
        else if (r == 5) ISA(pass)(x, y, 5, rest, s, w, L);
        else ISA(pass)(x, y, r, rest, s, w, L);
        s *= r;
        double *swap = x;
        x = y;
        y = swap;
    }
    if (x != home) memcpy(home, x, sizeof(double) * (size_t)(2 * n * L));
}

/* Transform of any length: directly, or as a convolution with a chirp (Bluestein 1970) where n has a large prime. */
ALWAYS_INLINE void ISA(fourier)(double *x, double *y, double *z,
                                                               const struct spectrum_task *k, int L) {
    if (!k->n_chirp) {
        ISA(transform)(x, y, k->n, k->turns, L);
        return;
    }
    int64_t n = k->n, big = k->n_chirp;
    const double *c = k->chirp, *f = k->filter;
    for (int64_t i = 0; i < n; i++)
        for (int l = 0; l < L; l++) {
            double a = x[2 * L * i + l], b = x[2 * L * i + L + l];
            z[2 * L * i + l] = a * c[2 * i] - b * c[2 * i + 1];
            z[2 * L * i + L + l] = a * c[2 * i + 1] + b * c[2 * i];
        }
    memset(z + 2 * L * n, 0, sizeof(double) * (size_t)(2 * L * (big - n)));
    ISA(transform)(z, y, big, k->turns, L);
    for (int64_t i = 0; i < big; i++) /* times the filter; conjugated, so that the next transform inverts */
        for (int l = 0; l < L; l++) {
            double a = z[2 * L * i + l], b = z[2 * L * i + L + l];
            z[2 * L * i + l] = a * f[2 * i] - b * f[2 * i + 1];
            z[2 * L * i + L + l] = -(a * f[2 * i + 1] + b * f[2 * i]);
        }
    ISA(transform)(z, y, big, k->turns, L);
    for (int64_t i = 0; i < n; i++)
        for (int l = 0; l < L; l++) {
            double a = z[2 * L * i + l] / (double)big, b = -z[2 * L * i + L + l] / (double)big;
            x[2 * L * i + l] = a * c[2 * i] - b * c[2 * i + 1];
            x[2 * L * i + L + l] = a * c[2 * i + 1] + b * c[2 * i];
        }
}

/* Hilbert transforms of up to 2 L rows into out (rows, n). */
ALWAYS_INLINE void ISA(hilbert)(const double *rows, int64_t n_rows, double *out,
                                                               double *x, double *y, double *z,
                                                               const struct spectrum_task *k, int L) {
    int64_t n = k->n;
    for (int l = 0; l < 2 * L; l++) { /* lane l: row 2 l in the real part, row 2 l + 1 in the imaginary */
        const double *row = rows + l * n;
        double *lane = x + (l & 1 ? L : 0) + l / 2;
        if (l < n_rows)
            for (int64_t i = 0; i < n; i++) lane[2 * L * i] = row[i];
        else
            for (int64_t i = 0; i < n; i++) lane[2 * L * i] = 0;
    }
    ISA(fourier)(x, y, z, k, L);
    /* Positive frequencies times -i, negative ones times i, zero and Nyquist gone; stored with real and imaginary part
     * exchanged, which turns the next forward transform into the inverse. */
    double scale = 1 / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double sign = i == 0 || 2 * i == n ? 0 : 2 * i < n ? scale : -scale;
        for (int l = 0; l < L; l++) {
            double a = x[2 * L * i + l], b = x[2 * L * i + L + l];
            x[2 * L * i + l] = -a * sign;
            x[2 * L * i + L + l] = b * sign;
        }
    }
    ISA(fourier)(x, y, z, k, L);
    for (int l = 0; l < 2 * L && l < n_rows; l++) {
        const double *lane = x + (l & 1 ? 0 : L) + l / 2;
        double *row = out + l * n;
        for (int64_t i = 0; i < n; i++) row[i] = lane[2 * L * i];
    }
}

/* Angle of x + i y without branches (rational approximation on |z| <= tan(pi / 8); error below 1e-15). */
static inline double ISA(angle)(double y, double x) {
    double a = fabs(x), b = fabs(y), large = a > b ? a : b, small = a > b ? b : a;
    int upper = small > 0.41421356237309503 * large;
    double numerator = upper ? small - large : small, denominator = upper ? small + large : large;
    double z = numerator / (denominator > 0 ? denominator : 1), r = z * z;
    double p = (((-8.750608600031904122785e-1 * r - 1.615753718733365076637e1) * r - 7.500855792314704667340e1) * r -
                1.228866684490136173410e2) * r - 6.485021904942025371773e1;
    double q = ((((r + 2.485846490142306297962e1) * r + 1.650270098316988542046e2) * r + 4.328810604912902668951e2) * r +
                4.853903996359136964868e2) * r + 1.945506571482613964425e2;
    double v = z + z * (r * p / q) + (upper ? 0.78539816339744828 : 0);
    v = b > a ? 1.5707963267948966 - v : v;
    v = x < 0 ? 3.1415926535897931 - v : v;
    return copysign(v, y);
}

#define BLOCK 512

static void ISA(into_cells)(struct spectrum_task *k, const double *re, const double *im, double *outside,
                            double *energy) {
    int64_t n = k->n;
    double scale = N_BINS / (k->high_hz - k->low_hz), to_hz = k->rate_hz / 6.283185307179586;
    double width = (double)N_BINS / (double)n; /* a sample's interval, in time bins */
    double step[BLOCK + 1], power[BLOCK], row[BLOCK];
    double lost = 0, sum = 0, before = 0;
    for (int64_t start = 0; start < n; start += BLOCK) {
        int64_t count = n - start < BLOCK ? n - start : BLOCK, steps = start + count < n ? count : count - 1;
        const double *restrict a = re + start, *restrict b = im + start;
        for (int64_t i = 0; i < steps; i++) /* to the next sample */
            step[i + 1] = ISA(angle)(a[i] * b[i + 1] - b[i] * a[i + 1], a[i] * a[i + 1] + b[i] * b[i + 1]);
        step[0] = start > 0 ? before : step[1]; /* one-sided at the ends */
        if (steps < count) step[count] = step[count - 1];
        before = step[count];
        for (int64_t i = 0; i < count; i++) {
            double hz = (step[i] + step[i + 1]) / 2 * to_hz, at = floor((hz - k->low_hz) * scale);
            power[i] = (a[i] * a[i] + b[i] * b[i]) / 2;
            sum += power[i];
            row[i] = hz == k->high_hz ? N_BINS - 1 : at; /* the last bin is closed on both sides */
        }
        for (int64_t i = 0; i < count; i++) {
            if (!(row[i] >= 0 && row[i] < N_BINS)) {
                lost += power[i];
                continue;
            }
            double *cells = k->grid + (int64_t)row[i] * N_BINS;
            double from = (double)(start + i) * width, to = from + width;
            int64_t column = (int64_t)from < N_BINS - 1 ? (int64_t)from : N_BINS - 1;
            if (to <= (double)(column + 1)) {
                cells[column] += power[i] * width;
                continue;
            }
            for (; column < N_BINS && (double)column < to; column++) {
                double right = to < (double)(column + 1) ? to : (double)(column + 1);
                double left = from > (double)column ? from : (double)column;
                if (right > left) cells[column] += power[i] * (right - left);
            }
        }
    }
    *outside += lost;
    *energy += sum;
}

static int ISA(spectrum)(struct spectrum_task *k) {
    int64_t n = k->n, longest = k->n_chirp ? k->n_chirp : n;
    size_t plane = (size_t)(8 * longest); /* doubles in four complex lanes */
    double *memory = malloc(sizeof(double) * ((size_t)(8 * n) + 3 * plane));
    if (!memory) return -1;
    double *imaginary = memory, *x = imaginary + 8 * n, *y = x + plane, *z = y + plane;
    double outside = 0, energy = 0;
    for (int64_t first = 0; first < k->n_imfs; first += 8) {
        int64_t rows = k->n_imfs - first < 8 ? k->n_imfs - first : 8;
        const double *imfs = k->imfs + first * n;
        if (rows > 4) ISA(hilbert)(imfs, rows, imaginary, x, y, z, k, 4);
        else if (rows > 2) ISA(hilbert)(imfs, rows, imaginary, x, y, z, k, 2);
        else ISA(hilbert)(imfs, rows, imaginary, x, y, z, k, 1);
        for (int64_t r = 0; r < rows; r++) ISA(into_cells)(k, imfs + r * n, imaginary + r * n, &outside, &energy);
    }
    k->dropped = energy > 0 ? outside / energy : 0;
    free(memory);
    return 0;
}
