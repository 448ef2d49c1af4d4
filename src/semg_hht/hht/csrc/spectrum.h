/* IMFs to a 256 x 256 grid in one pass: analytic signal, phase steps, power of each cell. Included after hilbert.h. */

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

/* A row is read in eight strands at once. Their cells lie apart in time, so that no addition waits for another one. */
#define STRANDS 8
#define BLOCK 128 /* samples of each strand; a multiple of WIDE */

/* Columns that the samples' intervals overlap, for signals of at least 256 samples. */
struct ISA(places) {
    int32_t *column; /* in which a sample's interval begins */
    double *here;    /* part of the interval in this column */
    int32_t *split;  /* samples whose intervals reach the next column; at most 3 a column */
    double *beyond;  /* part of the interval of each of these in the next column */
    int64_t n_splits, first[STRANDS]; /* first: number of the first split of each strand */
};

/* What a row adds to the grid: energies, and the cells of one block of every strand. */
struct ISA(row) {
    const double *re, *im;
    double before[STRANDS]; /* phase step to the next sample of each strand */
    double slow_rad, slow_tangent; /* blocks with all phase steps below this are below the band */
    double outside, energy;
    double power[STRANDS][BLOCK]; /* in the band, in the column of the sample */
    int32_t cell[STRANDS][BLOCK];
};

static int64_t ISA(strand_of)(int64_t n) { return (n + 8 * STRANDS - 1) / (8 * STRANDS) * 8; }

static void ISA(find_places)(int64_t n, struct ISA(places) *places) {
    double width = (double)N_BINS / (double)n; /* of an interval, in columns; at most 1 here */
    int32_t *restrict columns = places->column;
    double *restrict here = places->here;
    for (int64_t i = 0; i < n; i++) {
        double from = (double)i * width, to = from + width;
        int32_t column = (int32_t)from < N_BINS - 1 ? (int32_t)from : N_BINS - 1;
        double edge = (double)(column + 1);
        columns[i] = column;
        here[i] = to <= edge ? width : edge - from;
    }
    int64_t count = 0, strand = ISA(strand_of)(n);
    for (int64_t column = 0; column < N_BINS - 1; column++) { /* the last sample of the column, or its neighbour by rounding */
        int64_t i = ((column + 1) * n - 1) / N_BINS - 1;
        for (i = i > 0 ? i : 0; i < n && columns[i] <= column; i++) {
            double to = (double)i * width + width, edge = (double)(column + 1);
            if (columns[i] != column || to <= edge) continue;
            places->split[count] = (int32_t)i;
            places->beyond[count++] = to - edge;
        }
    }
    places->n_splits = count;
    for (int64_t s = 0, i = 0; s < STRANDS; s++) {
        while (i < count && places->split[i] < s * strand) i++;
        places->first[s] = i;
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

static double ISA(total_of)(const double *x) {
    wide sum = LOAD(x);
    for (int64_t i = WIDE; i < BLOCK; i += WIDE) sum += LOAD(x + i);
    double total = 0;
    for (int l = 0; l < WIDE; l++) total += ((const double *)&sum)[l];
    return total;
}

/* Cells of samples start .. start + count - 1, which belong to strand s. Returns 0 if none is in the band. */
static int ISA(find_cells)(const struct spectrum_task *k, const struct ISA(places) *places, struct ISA(row) *row,
                           int s, int64_t start, int64_t count) {
    double step[BLOCK + 1], cross[BLOCK], dot[BLOCK], all[BLOCK] = {0}, missed[BLOCK] = {0};
    const double *restrict a = row->re + start, *restrict b = row->im + start;
    int64_t steps = start + count < k->n ? count : count - 1, fast = 0; /* steps to the next sample */
    for (int64_t i = 0; i < steps; i++) {
        cross[i] = a[i] * b[i + 1] - b[i] * a[i + 1];
        dot[i] = a[i] * a[i + 1] + b[i] * b[i + 1];
        fast += !(fabs(cross[i]) < row->slow_tangent * dot[i]); /* true for NaN */
    }
    for (int64_t i = 0; i < count; i++) all[i] = (a[i] * a[i] + b[i] * b[i]) / 2;
    double energy = ISA(total_of)(all);
    row->energy += energy;
    if (!fast && fabs(row->before[s]) < row->slow_rad) {
        row->outside += energy;
        if (steps > 0) row->before[s] = ISA(angle)(cross[steps - 1], dot[steps - 1]);
        return 0;
    }
    for (int64_t i = 0; i < steps; i++) step[i + 1] = ISA(angle)(cross[i], dot[i]);
    step[0] = start > 0 ? row->before[s] : step[1]; /* one-sided at the ends */
    if (steps < count) step[count] = step[count - 1];
    row->before[s] = step[count];
    double scale = N_BINS / (k->high_hz - k->low_hz), to_hz = k->rate_hz / 6.283185307179586;
    double low_hz = k->low_hz, high_hz = k->high_hz, *restrict power = row->power[s];
    int32_t *restrict cell = row->cell[s];
    for (int64_t i = 0; i < count; i++) {
        double hz = (step[i] + step[i + 1]) / 2 * to_hz, bin = (hz - low_hz) * scale;
        bin = hz == high_hz ? N_BINS - 1 : bin; /* the last bin includes its upper edge */
        int inside = (bin >= 0) & (bin < N_BINS); /* false for NaN */
        power[i] = inside ? all[i] : 0;
        missed[i] = inside ? 0 : all[i];
        cell[i] = (int32_t)(inside ? bin : 0) * N_BINS;
    }
    row->outside += ISA(total_of)(missed);
    if (k->n < N_BINS) {
        ISA(add_wide)(k, start, count, cell, power);
        return 0;
    }
    const int32_t *restrict column = places->column + start;
    const double *restrict here = places->here + start;
    for (int64_t i = 0; i < count; i++) {
        power[i] *= here[i];
        cell[i] += column[i];
    }
    return 1;
}

static void ISA(into_cells)(const struct spectrum_task *k, const struct ISA(places) *places, struct ISA(row) *row) {
    int64_t n = k->n, strand = ISA(strand_of)(n), split[STRANDS];
    memcpy(split, places->first, sizeof(split));
    for (int s = 0; s < STRANDS; s++) {
        int64_t i = s * strand - 1;
        if (i < 0 || i + 1 >= n) {
            row->before[s] = 0;
            continue;
        }
        const double *a = row->re + i, *b = row->im + i;
        row->before[s] = ISA(angle)(a[0] * b[1] - b[0] * a[1], a[0] * a[1] + b[0] * b[1]);
    }
    for (int64_t from = 0; from < strand; from += BLOCK) {
        int64_t longest = strand - from < BLOCK ? strand - from : BLOCK;
        int used[STRANDS], any = 0;
        for (int s = 0; s < STRANDS; s++) {
            int64_t start = s * strand + from, count = n - start < longest ? n - start : longest;
            used[s] = count > 0 && ISA(find_cells)(k, places, row, s, start, count);
            any |= used[s];
            if (!used[s]) count = 0;
            for (int64_t i = count; i < longest; i++) {
                row->power[s][i] = 0;
                row->cell[s][i] = 0;
            }
        }
        if (!any) continue;
        double *grid = k->grid;
        for (int64_t i = 0; i < longest; i++)
            for (int s = 0; s < STRANDS; s++) grid[row->cell[s][i]] += row->power[s][i];
        for (int s = 0; s < STRANDS; s++) {
            int64_t start = s * strand + from;
            for (; split[s] < places->n_splits && places->split[split[s]] < start + longest; split[s]++) {
                int64_t i = places->split[split[s]] - start;
                const double *a = row->re + start + i, *b = row->im + start + i;
                if (i >= 0 && row->power[s][i] != 0)
                    grid[row->cell[s][i] + 1] += (*a * *a + *b * *b) / 2 * places->beyond[split[s]];
            }
        }
    }
}

static int ISA(spectrum)(struct spectrum_task *k) {
    int64_t n = k->n, most_splits = 3 * N_BINS;
    size_t plane = (size_t)(8 * k->fourier.m + 56), n_places = (size_t)(n + most_splits);
    double *memory = malloc(sizeof(double) * (2 * plane + n_places) + sizeof(int32_t) * n_places);
    if (!memory) return -1;
    double *re = memory, *im = re + plane, *here = im + plane;
    int32_t *column = (int32_t *)(here + n_places);
    struct ISA(places) places = {.here = here, .beyond = here + n, .column = column, .split = column + n};
    if (n >= N_BINS) ISA(find_places)(n, &places);
    double low_rad = k->low_hz / k->rate_hz * 6.283185307179586;
    struct ISA(row) row = {.slow_rad = (low_rad < 1.5 ? low_rad : 1.5) * (1 - 1e-9)};
    row.slow_tangent = tan(row.slow_rad);
    for (int64_t i = 0; i < k->n_imfs; i += 2) {
        const double *first = k->imfs + i * n, *second = i + 1 < k->n_imfs ? first + n : first;
        ISA(hilbert)(&k->fourier, first, second, n, re, im);
        row.re = first;
        row.im = im;
        ISA(into_cells)(k, &places, &row);
        if (second == first) break;
        row.re = second;
        row.im = re;
        ISA(into_cells)(k, &places, &row);
    }
    k->dropped = row.energy > 0 ? row.outside / row.energy : 0;
    free(memory);
    return 0;
}
