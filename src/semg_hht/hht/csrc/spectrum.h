/* IMFs to a 256 x 256 grid in one pass: analytic signal, phase steps, power of each cell. Included after hilbert.h. */

/* Angle of x + i y without branches and with one division: the best polynomial of its degree, in the Chebyshev sense,
 * for the arc tangent of |z| <= tan(pi / 8); error below 3e-16. */
static inline double ISA(angle)(double y, double x) {
    double a = fabs(x), b = fabs(y), large = a > b ? a : b, small = a > b ? b : a;
    int upper = small > 0.41421356237309503 * large;
    double numerator = upper ? small - large : small, denominator = upper ? small + large : large;
    double z = numerator / (denominator > 0 ? denominator : 1), r = z * z;
    double r2 = r * r, r4 = r2 * r2; /* pairs of terms, so that few steps wait for each other */
    double p0 = (1.9999999999898408e-1 * r - 3.3333333333333246e-1) + (1.1111109636534361e-1 * r - 1.4285714266096618e-1) * r2;
    double p4 = (7.6910551583931493e-2 * r - 9.0908525571760494e-2) + (5.7363321659076425e-2 * r - 6.6496136952916693e-2) * r2;
    double p = p0 + r4 * (p4 + r4 * (2.2750526993361672e-2 * r - 4.4833346222728831e-2));
    double v = z + z * (r * p) + (upper ? 0.78539816339744828 : 0);
    v = b > a ? 1.5707963267948966 - v : v;
    v = x < 0 ? 3.1415926535897931 - v : v;
    return copysign(v, y);
}

#define BLOCK 256
#define STRANDS 64 /* parts of a row that are added to the grid in turn */

/* Samples whose intervals reach the next column, for signals of at least 256 samples: at most one of a column. */
struct ISA(splits) {
    int64_t count, sample[N_BINS];
    double here[N_BINS]; /* share of the interval in the sample's own column */
};

static void ISA(find_splits)(int64_t n, struct ISA(splits) *splits) {
    for (int64_t column = 0; column < N_BINS - 1; column++) {
        int64_t edge = (column + 1) * n, last = (edge - 1) / N_BINS; /* sample i begins at i * 256 and ends 256 later */
        splits->sample[splits->count] = last;
        splits->here[splits->count] = (double)(edge - last * N_BINS) / N_BINS;
        splits->count += edge < (last + 1) * N_BINS;
    }
}

static double ISA(total_of)(const double *x, int64_t n) {
    wide sum[4] = {SPREAD(0.0), SPREAD(0.0), SPREAD(0.0), SPREAD(0.0)}; /* each addition to one sum waits for the last */
    double total = 0;
    int64_t i = 0;
    for (; i + 4 * WIDE <= n; i += 4 * WIDE)
        for (int j = 0; j < 4; j++) sum[j] += LOAD(x + i + j * WIDE);
    sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    for (int l = 0; l < WIDE; l++) total += ((const double *)sum)[l];
    for (; i < n; i++) total += x[i];
    return total;
}

/* Power of count samples a + i b, and the sine and cosine of the steps to the next samples, times both amplitudes.
 * Returns 0 if all steps are below the angle of the tangent. */
static int ISA(find_steps)(const double *restrict a, const double *restrict b, int64_t count, int64_t steps,
                           double tangent, double *restrict all, double *restrict sine, double *restrict cosine) {
    int64_t i = 0, fast = 0;
#if LANES > 1
    vector limit = spread(tangent), half = spread(0.5), a0 = zeros(), b0 = zeros();
    unsigned slow = LANE_BITS;
    if (2 * LANES <= steps) {
        a0 = load(a);
        b0 = load(b);
    }
    for (; i + 2 * LANES <= steps; i += LANES) {
        vector a1 = load(a + i + LANES), b1 = load(b + i + LANES), a_next = moved(a0, a1), b_next = moved(b0, b1);
        vector s = minus(times(a0, b_next), times(b0, a_next)), c = fused(b0, b_next, times(a0, a_next));
        slow &= above(times(limit, c), higher(s, minus(zeros(), s))); /* false for NaN */
        store(all + i, times(half, fused(a0, a0, times(b0, b0))));
        store(sine + i, s);
        store(cosine + i, c);
        a0 = a1;
        b0 = b1;
    }
    fast = slow != LANE_BITS;
#endif
    int64_t first = i;
    for (; i < steps; i++) {
        sine[i] = a[i] * b[i + 1] - b[i] * a[i + 1];
        cosine[i] = a[i] * a[i + 1] + b[i] * b[i + 1];
        fast += !(fabs(sine[i]) < tangent * cosine[i]);
    }
    for (i = first; i < count; i++) all[i] = (a[i] * a[i] + b[i] * b[i]) / 2;
    return fast != 0;
}

/* An IMF, its Hilbert transform, and what becomes of its samples. */
struct ISA(row) {
    const double *re, *im;
    double *power;        /* (used) in the band */
    int32_t *cell;        /* (used) of the grid; in row 0 for power outside the band, which adds 0 */
    int64_t used;         /* samples in blocks that are not below the band */
    int64_t n_split;      /* splits before the next block */
    double sine, cosine;  /* of the step to the next sample, times both amplitudes */
    double tangent;       /* of the band's lower edge; 0 for an edge above a sixth of the rate */
    double outside, energy;
};

/* Cells of samples start .. start + count - 1. */
static void ISA(find_cells)(const struct spectrum_task *k, const struct ISA(splits) *splits, struct ISA(row) *row,
                            int64_t start, int count) {
    double step[BLOCK + 8], sine[BLOCK + 8], cosine[BLOCK + 8], all[BLOCK];
    int steps = start + count < k->n ? count : count - 1, i; /* to the next sample */
    sine[0] = row->sine;
    cosine[0] = row->cosine;
    int fast = !(fabs(sine[0]) < row->tangent * cosine[0]);
    fast |= ISA(find_steps)(row->re + start, row->im + start, count, steps, row->tangent, all, sine + 1, cosine + 1);
    row->sine = sine[steps];
    row->cosine = cosine[steps];
    double energy = ISA(total_of)(all, count), *restrict power = row->power + row->used;
    int32_t *restrict cell = row->cell + row->used;
    row->energy += energy;
    if (!fast) { /* all are below the band */
        row->outside += energy;
        return;
    }
    for (i = steps + 1; i % 8; i++) sine[i] = cosine[i] = 0;
    for (i = 0; i < (steps + 8) / 8 * 8; i++) step[i] = ISA(angle)(sine[i], cosine[i]);
    if (start == 0) step[0] = step[1]; /* one-sided at the ends */
    if (steps < count) step[count] = step[count - 1];
    double scale = N_BINS / (k->high_hz - k->low_hz), to_hz = k->rate_hz / 6.283185307179586;
    double low_hz = k->low_hz, high_hz = k->high_hz;
    double width = (double)N_BINS / (double)k->n, first = (double)start * width + 0.5 / (double)k->n; /* not on an edge */
    for (i = 0; i < count; i++) {
        double hz = (step[i] + step[i + 1]) / 2 * to_hz, bin = (hz - low_hz) * scale;
        bin = hz == high_hz ? N_BINS - 1 : bin; /* the last bin includes its upper edge */
        int inside = (bin >= 0) & (bin < N_BINS); /* false for NaN */
        power[i] = inside ? all[i] : 0;
        cell[i] = ((int32_t)(inside ? bin : 0) << 8) + (int32_t)(first + (double)i * width); /* times N_BINS */
    }
    row->outside += energy - ISA(total_of)(power, count);
    row->used += count;
    for (; row->n_split < splits->count && splits->sample[row->n_split] < start + count; row->n_split++) {
        int64_t sample = splits->sample[row->n_split] - start;
        if (sample < 0) continue;
        double here = power[sample] * splits->here[row->n_split];
        k->grid[cell[sample] + 1] += (power[sample] - here) * width;
        power[sample] = here;
    }
}

/* Adds a row of fewer than 256 samples, whose intervals overlap many columns. */
static void ISA(add_wide)(const struct spectrum_task *k, const struct ISA(row) *row) {
    double width = (double)N_BINS / (double)k->n;
    for (int64_t i = 0; i < k->n; i++) {
        double from = (double)i * width, to = from + width;
        int64_t column = (int64_t)from < N_BINS - 1 ? (int64_t)from : N_BINS - 1;
        double *cells = k->grid + (row->cell[i] - row->cell[i] % N_BINS);
        for (; column < N_BINS && (double)column < to; column++) {
            double right = to < (double)(column + 1) ? to : (double)(column + 1);
            double left = from > (double)column ? from : (double)column;
            if (right > left) cells[column] += row->power[i] * (right - left);
        }
    }
}

/* Adds a row to the grid for signals of at least 256 samples. Its strands lie apart in time, so that no addition waits
 * for another one. */
static void ISA(add_row)(const struct ISA(row) *row, double width, double *grid) {
    const double *power = row->power;
    const int32_t *cell = row->cell;
    int64_t n = row->used, strand = (n + STRANDS - 1) / STRANDS;
    for (int64_t from = 0; from < strand; from++)
        for (int64_t i = from; i < n; i += strand) grid[cell[i]] += power[i] * width;
}

static int ISA(spectrum)(struct spectrum_task *k) {
    int64_t n = k->n;
    size_t plane = (size_t)(8 * k->fourier.m + 56);
    double *memory = malloc(sizeof(double) * (2 * plane + (size_t)n) + sizeof(int32_t) * (size_t)n);
    struct ISA(splits) *splits = malloc(sizeof(struct ISA(splits)));
    if (!memory || !splits) {
        free(memory);
        free(splits);
        return -1;
    }
    double *re = memory, *im = re + plane, low_rad = k->low_hz / k->rate_hz * 6.283185307179586;
    struct ISA(row) row = {.power = im + plane, .cell = (int32_t *)(im + plane + n)};
    if (low_rad < 1.05) row.tangent = tan(low_rad) * (1 - 1e-9);
    splits->count = 0;
    if (n >= N_BINS) ISA(find_splits)(n, splits);
    for (int64_t i = 0; i < k->n_imfs; i++) {
        const double *imf = k->imfs + i * n;
        if (i % 2 == 0) ISA(hilbert)(&k->fourier, imf, i + 1 < k->n_imfs ? imf + n : imf, n, re, im);
        row.re = imf;
        row.im = i % 2 ? re : im;
        row.sine = 0;
        row.used = row.n_split = 0;
        row.cosine = 1;
        for (int64_t start = 0; start < n; start += BLOCK)
            ISA(find_cells)(k, splits, &row, start, (int)(n - start < BLOCK ? n - start : BLOCK));
        if (n >= N_BINS) ISA(add_row)(&row, (double)N_BINS / (double)n, k->grid);
        else if (row.used) ISA(add_wide)(k, &row); /* of one block, so that all samples are used */
    }
    k->dropped = row.energy > 0 ? row.outside / row.energy : 0;
    free(memory);
    free(splits);
    return 0;
}
