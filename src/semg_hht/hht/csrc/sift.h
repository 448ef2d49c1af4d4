/* The sift, compiled for each instruction set: each kernel_*.c defines ISA(name) and LANES and includes this file. */
#include <math.h>
#include <string.h>

/* ---- extrema ----------------------------------------------------------------------------------------------- */

/* Writes strict interior extrema to knots and marks. Returns 1 if any two neighbouring samples are equal. */
static int ISA(strict_extrema)(struct workspace *w) {
    const double *h = w->h;
    struct envelope *up = &w->env[MAXIMA], *low = &w->env[MINIMA];
    double *t_up = up->t + LEAD, *y_up = up->y + LEAD, *t_low = low->t + LEAD, *y_low = low->y + LEAD;
    int64_t n = w->n, n_up = 0, n_low = 0;
    unsigned flat = 0;
#if LANES > 1
    vector position = first_positions();
    unsigned climbs = 0, falls = 0; /* bit set: the sample is below, above its right neighbour */
    for (int64_t i = 0; i < n; i += 8) {
        unsigned rises = climbs >> 7, drops = falls >> 7; /* above, below its left neighbour; bit 0: last block */
        vector part[8 / LANES];
        climbs = falls = 0;
        for (int k = 0; k < 8 / LANES; k++) {
            vector v = load(h + i + k * LANES), r = load(h + i + k * LANES + 1);
            part[k] = v;
            falls |= above(v, r) << (k * LANES);
            climbs |= above(r, v) << (k * LANES);
        }
        rises |= climbs << 1;
        drops |= falls << 1;
        unsigned valid = 0xFF; /* samples with a neighbour to the left */
        if (i == 0) valid = 0xFE;
        if (i + 8 > n) valid &= 0xFFu >> (i + 8 - n);
        flat |= ~(rises | drops) & valid;
        if (i + 8 >= n) valid &= 0xFFu >> (i + 9 - n); /* the last sample has no right neighbour */
        unsigned is_max = rises & falls & valid, is_min = drops & climbs & valid;
        up->marks[i >> 3] = (uint8_t)is_max;
        low->marks[i >> 3] = (uint8_t)is_min;
        /* Extrema of one kind are at least two samples apart, so half a vector holds those of one vector. */
        if (!(is_max | is_min)) {
            for (int k = 0; k < 8 / LANES; k++) position = advance(position);
            continue;
        }
        for (int k = 0; k < 8 / LANES; k++) {
            unsigned bits = is_max >> (k * LANES) & LANE_BITS, others = is_min >> (k * LANES) & LANE_BITS;
            store_half(t_up + n_up, squeeze(bits, position));
            store_half(y_up + n_up, squeeze(bits, part[k]));
            store_half(t_low + n_low, squeeze(others, position));
            store_half(y_low + n_low, squeeze(others, part[k]));
            n_up += __builtin_popcount(bits);
            n_low += __builtin_popcount(others);
            position = advance(position);
        }
    }
#else
    memset(up->marks, 0, (size_t)(n >> 3) + 2);
    memset(low->marks, 0, (size_t)(n >> 3) + 2);
    for (int64_t i = 1; i < n - 1; i++) {
        int is_max = (h[i] > h[i - 1]) & (h[i] > h[i + 1]), is_min = (h[i] < h[i - 1]) & (h[i] < h[i + 1]);
        t_up[n_up] = t_low[n_low] = (double)i;
        y_up[n_up] = y_low[n_low] = h[i];
        n_up += is_max;
        n_low += is_min;
        up->marks[i >> 3] |= (uint8_t)(is_max << (i & 7));
        low->marks[i >> 3] |= (uint8_t)(is_min << (i & 7));
        flat |= h[i] == h[i - 1];
    }
    flat |= h[n - 1] == h[n - 2];
#endif
    up->marks[(n + 7) >> 3] = low->marks[(n + 7) >> 3] = 0;
    up->interior = n_up;
    low->interior = n_low;
    return flat != 0;
}

/* Extrema by the rule's definition. Returns their number. */
static int64_t ISA(find_extrema)(struct workspace *w, enum rule rule) {
    if (ISA(strict_extrema)(w) && rule != RULE_EMD) find_extrema_in_runs(w, rule);
    if (rule == RULE_UPSTREAM) add_upstream_ends(w);
    return w->env[MAXIMA].interior + w->env[MINIMA].interior;
}

/* Number of sign changes; every run of zeros counts once. */
static int64_t ISA(zero_crossings)(const double *h, int64_t n) {
    int64_t count = 0, zeros = h[0] == 0;
    for (int64_t i = 1; i < n; i++) {
        count += h[i] * h[i - 1] < 0;
        zeros += (h[i] == 0) & (h[i - 1] != 0);
    }
    return count + zeros;
}

/* ---- splines ----------------------------------------------------------------------------------------------- */

/* Straight lines between the knots, for two knots, or below four in the upstream tool. */
static void ISA(lines)(struct envelope *e) {
    for (int64_t j = e->first; j < e->first + e->count - 1; j++) {
        e->c1[j] = (e->y[j + 1] - e->y[j]) / (e->t[j + 1] - e->t[j]);
        e->c2[j] = e->c3[j] = 0;
    }
}

/* Three knots: the parabola through them (the not-a-knot spline), or PyEMD's natural spline. */
static void ISA(three_knots)(struct envelope *e, int natural) {
    int64_t j = e->first;
    double a = e->t[j + 1] - e->t[j], b = e->t[j + 2] - e->t[j + 1];
    double p = (e->y[j + 1] - e->y[j]) / a, q = (e->y[j + 2] - e->y[j + 1]) / b;
    double m = (natural ? 1.5 : 1.0) * (q - p) / (a + b); /* half the second derivative at the middle knot */
    double m0 = natural ? 0 : m;
    e->c2[j] = m0;
    e->c2[j + 1] = m;
    e->c3[j] = (m - m0) / (3 * a);
    e->c3[j + 1] = (m0 - m) / (3 * b);
    e->c1[j] = p - a * (2 * m0 + m) / 3;
    e->c1[j + 1] = q - b * (2 * m + m0) / 3;
}

static void ISA(differences)(int64_t n, const double *restrict t, double *restrict gap) {
    for (int64_t j = 0; j < n; j++) gap[j] = t[j + 1] - t[j];
}

/* Diagonal, and with one division the inverses of the diagonal (scaled) and of the gap. Reads gap[-1]. */
static void ISA(diagonals)(int64_t n, const double *restrict gap, const double *restrict y, double *restrict diagonal,
                           double *restrict inverse, double *restrict scaled, double *restrict slope) {
    for (int64_t j = 0; j < n; j++) {
        double g = gap[j], d = 2 * (gap[j - 1] + g), both = 1 / (g * d);
        diagonal[j] = d;
        inverse[j] = d * both;
        scaled[j] = g * both;
        slope[j] = (y[j + 1] - y[j]) * (d * both);
    }
}

static void ISA(right_sides)(int64_t n, const double *restrict slope, double *restrict rhs) {
    for (int64_t j = 0; j < n; j++) rhs[j] = 3 * (slope[j] - slope[j - 1]);
}

/* The equations of a not-a-knot cubic for m = half the second derivative at the inner knots (four knots or more):
 * gap[j-1] m[j-1] + 2 (gap[j-1] + gap[j]) m[j] + gap[j] m[j+1] = 3 (slope[j] - slope[j-1]). A continuous third
 * derivative eliminates the outer two unknowns, so the matrix is not symmetric in its first and last row. */
static void ISA(equations)(struct envelope *e) {
    int64_t f = e->first, n = e->count;
    double *gap = e->gap, *inverse = e->inverse, *diagonal = e->diagonal;
    ISA(differences)(n - 1, e->t + f, gap);
    inverse[0] = 1 / gap[0];
    e->slope[0] = (e->y[f + 1] - e->y[f]) * inverse[0];
    ISA(diagonals)(n - 2, gap + 1, e->y + f + 1, diagonal + 1, inverse + 1, e->scaled + 1, e->slope + 1);
    ISA(right_sides)(n - 2, e->slope + 1, e->rhs + 1);
    diagonal[1] += gap[0] * (1 + gap[0] * inverse[1]);
    diagonal[n - 2] += gap[n - 2] * (1 + gap[n - 2] * inverse[n - 3]);
    e->scaled[1] = 1 / diagonal[1];
    e->scaled[n - 2] = 1 / diagonal[n - 2];
}

/* One elimination step from the left or the right: divide row j by its pivot and subtract it from the row `next`. */
#define ELIMINATE(e, pivot, right_side, j, next, to_next, from_next)                    \
    do {                                                                                \
        double inverse_ = 1 / (pivot);                                                  \
        (e)->ratio[j] = (to_next) * inverse_;                                           \
        (e)->partial[j] = (right_side) * inverse_;                                      \
        (pivot) = (e)->diagonal[next] - (to_next) * (from_next) * inverse_;             \
        (right_side) = (e)->rhs[next] - (from_next) * (e)->partial[j];                  \
    } while (0)

#define STRETCH 128 /* steps after which the pivots' running products restart, so that they cannot underflow */

/* State of the elimination of one spline with unknowns 1..n, from both ends to the middle. */
struct ISA(halves) {
    int64_t n, middle, steps[2];
    double first_off, last_off; /* coupling of row 1 to unknown 2, of row n to unknown n - 1 */
    double pivot[2], right_side[2];
};

static struct ISA(halves) ISA(open_halves)(struct envelope *e) {
    ISA(equations)(e);
    struct ISA(halves) s;
    int64_t last = e->count - 2; /* last gap */
    s.n = e->count - 2;
    s.middle = (s.n + 1) / 2;
    s.steps[0] = s.middle - 1;
    s.steps[1] = s.n - s.middle;
    s.first_off = e->gap[1] - e->gap[0] * e->gap[0] * e->inverse[1];
    s.last_off = e->gap[last - 1] - e->gap[last] * e->gap[last] * e->inverse[last - 1];
    s.pivot[0] = e->diagonal[1];
    s.right_side[0] = e->rhs[1];
    s.pivot[1] = e->diagonal[s.n];
    s.right_side[1] = e->rhs[s.n];
    if (s.steps[0] > 0) ELIMINATE(e, s.pivot[0], s.right_side[0], 1, 2, s.first_off, e->gap[1]);
    /* With two unknowns, row n is subtracted from row 1. */
    if (s.steps[1] > 0)
        ELIMINATE(e, s.pivot[1], s.right_side[1], s.n, s.n - 1, s.last_off, s.n == 2 ? s.first_off : e->gap[s.n - 1]);
    return s;
}

/* gap^2 over the product of the two diagonals that the gap couples. */
static void ISA(couplings)(int64_t n, const double *restrict gap, const double *restrict scaled, double *restrict q) {
    for (int64_t i = 0; i < n; i++) q[i] = gap[i] * gap[i] * (scaled[i] * scaled[i + 1]);
}

/* Divides rows by their pivots; reach is then the coupling of each row to the row eliminated before it. */
static void ISA(divide_rows)(int64_t n, const double *restrict product_before, const double *restrict product,
                             const double *restrict scaled, const double *restrict rhs,
                             const double *restrict gap_next, const double *restrict gap_before, double *restrict ratio,
                             double *restrict partial, double *restrict reach) {
    for (int64_t i = 0; i < n; i++) {
        double inverse = product_before[i] / product[i] * scaled[i];
        ratio[i] = gap_next[i] * inverse;
        partial[i] = rhs[i] * inverse;
        reach[i] = gap_before[i] * inverse;
    }
}

/* Steps from..to - 1 of both splines from both ends: four independent chains of operations. With q = gap^2 over the two
 * diagonals, pivot / diagonal is p[j] / p[j-1], where p[j] = p[j-1] - q p[j-2]. The chains therefore contain no
 * division; all divisions follow together. Scratch arrays ascend with the row on both sides. */
static void ISA(eliminate_together)(struct envelope *env, struct ISA(halves) *s, int64_t from, int64_t to) {
    int64_t count = to - from, low[2][2]; /* first row of each chain */
    double *product[2][2], *q[2][2], *reach[2][2];
    for (int k = 0; k < 2; k++) {
        struct envelope *e = &env[k];
        low[k][0] = 1 + from;
        low[k][1] = s[k].n - to + 1;
        for (int side = 0; side < 2; side++) {
            product[k][side] = e->scratch + (3 * side) * (STRETCH + 16);
            q[k][side] = e->scratch + (3 * side + 1) * (STRETCH + 16);
            reach[k][side] = e->scratch + (3 * side + 2) * (STRETCH + 16);
            int64_t first = low[k][side] - side; /* coupling to the next row: j + 1 on the left, j - 1 on the right */
            ISA(couplings)(count, e->gap + first, e->scaled + first, q[k][side]);
        }
    }
    double *restrict p0 = product[0][0], *restrict p1 = product[0][1] + count;
    double *restrict p2 = product[1][0], *restrict p3 = product[1][1] + count;
    const double *restrict q0 = q[0][0], *restrict q1 = q[0][1] + count - 1;
    const double *restrict q2 = q[1][0], *restrict q3 = q[1][1] + count - 1;
    double b0 = 1, b1 = 1, b2 = 1, b3 = 1; /* p[j-2]; the a below are p[j-1] */
    double a0 = s[0].pivot[0] / env[0].diagonal[1 + from], a1 = s[0].pivot[1] / env[0].diagonal[s[0].n - from];
    double a2 = s[1].pivot[0] / env[1].diagonal[1 + from], a3 = s[1].pivot[1] / env[1].diagonal[s[1].n - from];
    p0[0] = p1[0] = p2[0] = p3[0] = 1;
    for (int64_t i = 0; i < count; i++) {
        double c0 = a0 - q0[i] * b0, c1 = a1 - q1[-i] * b1, c2 = a2 - q2[i] * b2, c3 = a3 - q3[-i] * b3;
        p0[i + 1] = b0 = a0;
        p1[-i - 1] = b1 = a1;
        p2[i + 1] = b2 = a2;
        p3[-i - 1] = b3 = a3;
        a0 = c0;
        a1 = c1;
        a2 = c2;
        a3 = c3;
    }
    for (int k = 0; k < 2; k++)
        for (int side = 0; side < 2; side++) {
            struct envelope *e = &env[k];
            int64_t row = low[k][side];
            ISA(divide_rows)(count, product[k][side] + side, product[k][side] + 1 - side, e->scaled + row,
                             e->rhs + row, e->gap + row - side, e->gap + row - 1 + side, e->ratio + row,
                             e->partial + row, reach[k][side]);
        }
    double *restrict pa = env[0].partial + 1 + from, *restrict pb = env[1].partial + 1 + from;
    double *restrict pc = env[0].partial + s[0].n - from, *restrict pd = env[1].partial + s[1].n - from;
    const double *restrict r0 = reach[0][0], *restrict r1 = reach[0][1] + count - 1;
    const double *restrict r2 = reach[1][0], *restrict r3 = reach[1][1] + count - 1;
    double v0 = pa[-1], v1 = pc[1], v2 = pb[-1], v3 = pd[1];
    for (int64_t i = 0; i < count; i++) {
        pa[i] = v0 = pa[i] - r0[i] * v0;
        pc[-i] = v1 = pc[-i] - r1[-i] * v1;
        pb[i] = v2 = pb[i] - r2[i] * v2;
        pd[-i] = v3 = pd[-i] - r3[-i] * v3;
    }
    for (int k = 0; k < 2; k++) { /* subtract the eliminated neighbours from the rows at `to` */
        struct envelope *e = &env[k];
        int64_t j = 1 + to, p = s[k].n - to;
        s[k].pivot[0] = e->diagonal[j] - e->gap[j - 1] * e->ratio[j - 1];
        s[k].right_side[0] = e->rhs[j] - e->gap[j - 1] * e->partial[j - 1];
        s[k].pivot[1] = e->diagonal[p] - e->gap[p] * e->ratio[p + 1];
        s[k].right_side[1] = e->rhs[p] - e->gap[p] * e->partial[p + 1];
    }
}

/* Eliminates each spline from both ends towards its middle; two splines together for the steps that both have. */
static void ISA(solve)(struct envelope *env, int n_splines) {
    struct ISA(halves) s[2] = {ISA(open_halves)(&env[0]), ISA(open_halves)(&env[n_splines - 1])};
    int64_t common = n_splines == 2 ? s[0].steps[0] : 0; /* 0 for one spline, so that its rows are not aliased */
    for (int k = 0; k < n_splines; k++)
        for (int side = 0; side < 2; side++)
            if (s[k].steps[side] < common) common = s[k].steps[side];
    int64_t done = 1; /* open_halves has done the first step, whose coefficients are not symmetric */
    while (done + 8 <= common) {
        int64_t to = done + STRETCH < common ? done + STRETCH : common;
        ISA(eliminate_together)(env, s, done, to);
        done = to;
    }
    double middle_value[2] = {0, 0};
    for (int k = 0; k < n_splines; k++) {
        struct envelope *e = &env[k];
        for (int64_t i = done; i < s[k].steps[0]; i++)
            ELIMINATE(e, s[k].pivot[0], s[k].right_side[0], 1 + i, 2 + i, e->gap[1 + i], e->gap[1 + i]);
        for (int64_t i = done; i < s[k].steps[1]; i++) {
            int64_t j = s[k].n - i;
            ELIMINATE(e, s[k].pivot[1], s[k].right_side[1], j, j - 1, e->gap[j - 1], e->gap[j - 1]);
        }
        /* Subtract both neighbours from the middle row. */
        int64_t c = s[k].middle;
        double d = s[k].pivot[0], r = s[k].right_side[0];
        if (s[k].steps[1] > 0) {
            d += s[k].pivot[1] - e->diagonal[c];
            r += s[k].right_side[1] - e->rhs[c];
        }
        (e->c2 + e->first)[c] = middle_value[k] = r / d;
    }
    const struct envelope *other = &env[n_splines - 1];
    double *restrict ma = env[0].c2 + env[0].first, *restrict mb = other->c2 + other->first;
    const double *restrict pa = env[0].partial, *restrict pb = other->partial;
    const double *restrict ra = env[0].ratio, *restrict rb = other->ratio;
    double v0 = middle_value[0], v1 = v0, v2 = middle_value[n_splines - 1], v3 = v2;
    for (int64_t i = 1; i <= common; i++) {
        int64_t l = s[0].middle - i, r = s[0].middle + i, p = s[1].middle - i, q = s[1].middle + i;
        ma[l] = v0 = pa[l] - ra[l] * v0;
        ma[r] = v1 = pa[r] - ra[r] * v1;
        mb[p] = v2 = pb[p] - rb[p] * v2;
        mb[q] = v3 = pb[q] - rb[q] * v3;
    }
    for (int k = 0; k < n_splines; k++) {
        const struct envelope *e = &env[k];
        double *m = e->c2 + e->first;
        for (int64_t i = s[k].middle - common - 1; i >= 1; i--) m[i] = e->partial[i] - e->ratio[i] * m[i + 1];
        for (int64_t j = s[k].middle + common + 1; j <= s[k].n; j++) m[j] = e->partial[j] - e->ratio[j] * m[j - 1];
    }
}

static void ISA(coefficients)(int64_t n, const double *restrict m, const double *restrict gap,
                              const double *restrict inverse, const double *restrict slope, double *restrict c1,
                              double *restrict c3) {
    for (int64_t j = 0; j < n; j++) {
        c1[j] = slope[j] - gap[j] * (2 * m[j] + m[j + 1]) * (1.0 / 3);
        c3[j] = (m[j + 1] - m[j]) * inverse[j] * (1.0 / 3);
    }
}

/* Cubic polynomials of all intervals, from the second derivatives. */
static void ISA(polynomials)(struct envelope *e) {
    int64_t f = e->first, n = e->count;
    double *m = e->c2 + f;
    m[0] = m[1] + (m[1] - m[2]) * e->gap[0] * e->inverse[1];
    m[n - 1] = m[n - 2] + (m[n - 2] - m[n - 3]) * e->gap[n - 2] * e->inverse[n - 3];
    ISA(coefficients)(n - 1, m, e->gap, e->inverse, e->slope, e->c1 + f, e->c3 + f);
}

static int ISA(splines)(struct workspace *w, enum rule rule) {
    if (rule != RULE_UPSTREAM && !add_mirrored_knots(w, rule)) return 0;
    if (w->env[0].count >= 4 && w->env[1].count >= 4) {
        ISA(solve)(w->env, 2);
        for (int k = 0; k < 2; k++) ISA(polynomials)(&w->env[k]);
    } else {
        for (int k = 0; k < 2; k++) {
            struct envelope *e = &w->env[k];
            if (e->count >= 4) {
                ISA(solve)(e, 1);
                ISA(polynomials)(e);
            } else if (e->count == 3 && rule != RULE_UPSTREAM) {
                ISA(three_knots)(e, rule == RULE_PYEMD);
            } else {
                ISA(lines)(e);
            }
        }
    }
    for (int k = 0; k < 2; k++) { /* the envelope is constant after the last knot, which usually lies beyond the end */
        struct envelope *e = &w->env[k];
        int64_t before = e->first - 1, after = e->first + e->count - 1;
        e->c1[after] = e->c2[after] = e->c3[after] = 0;
        e->t[before] = -1; /* and before the first knot, which lies inside only under the upstream rule */
        e->y[before] = e->y[e->first];
        e->c1[before] = e->c2[before] = e->c3[before] = 0;
    }
    return 1;
}

/* ---- evaluation -------------------------------------------------------------------------------------------- */

static inline double ISA(value)(const struct envelope *e, int64_t j, double at) {
    double s = at - e->t[j];
    return e->y[j] + s * (e->c1[j] + s * (e->c2[j] + s * e->c3[j]));
}

/* Subtracts the mean envelope from h; returns the energies of the mean and of h before the subtraction. */
static inline void ISA(subtract_mean)(struct workspace *w, enum keep keep, double *mean_energy, double *energy) {
    double *restrict h = w->h;
    const struct envelope *up = &w->env[MAXIMA], *low = &w->env[MINIMA];
    int64_t n = w->n, i = 0, j = up->first + up->start, k = low->first + low->start;
    double sum_mean = 0, sum_h = 0;
#if LANES > 1
    /* A block of LANES samples overlaps so few intervals that one load of each coefficient holds those of all of them.
     * The marks then select the interval of each lane. This needs no branch and no gather, even for dense knots. */
    if (up->sparse && low->sparse) {
        vector mean_squares = zeros(), squares = zeros(), position = first_positions(), half = spread(0.5);
        for (; i + 8 <= n; i += 8) {
            unsigned marks_up = up->marks[i >> 3], marks_low = low->marks[i >> 3];
            if (!(marks_up | marks_low)) { /* one cubic per envelope for the whole block, as usual in slow modes */
                vector t_up = spread(up->t[j]), t_low = spread(low->t[k]);
                for (int part = 0; part < 8 / LANES; part++) {
                    vector s = minus(position, t_up), r = minus(position, t_low);
                    vector u = fused(spread(up->c3[j]), s, spread(up->c2[j]));
                    vector l = fused(spread(low->c3[k]), r, spread(low->c2[k]));
                    u = fused(fused(u, s, spread(up->c1[j])), s, spread(up->y[j]));
                    l = fused(fused(l, r, spread(low->c1[k])), r, spread(low->y[k]));
                    vector mean = times(plus(u, l), half), v = load(h + i + part * LANES);
                    mean_squares = fused(mean, mean, mean_squares);
                    squares = fused(v, v, squares);
                    store(h + i + part * LANES, minus(v, mean));
                    if (keep != NOTHING) store(w->mean + i + part * LANES, mean);
                    if (keep == ENVELOPES) store(w->amplitude + i + part * LANES, times(minus(u, l), half));
                    position = advance(position);
                }
                continue;
            }
            for (int part = 0; part < 8 / LANES; part++) {
                unsigned bits = marks_up >> (part * LANES) & LANE_BITS;
                unsigned others = marks_low >> (part * LANES) & LANE_BITS;
                selection pick = intervals(bits), take = intervals(others);
                vector s = minus(position, choose(load(up->t + j), pick));
                vector u = choose(load(up->c3 + j), pick);
                u = fused(u, s, choose(load(up->c2 + j), pick));
                u = fused(u, s, choose(load(up->c1 + j), pick));
                u = fused(u, s, choose(load(up->y + j), pick));
                s = minus(position, choose(load(low->t + k), take));
                vector l = choose(load(low->c3 + k), take);
                l = fused(l, s, choose(load(low->c2 + k), take));
                l = fused(l, s, choose(load(low->c1 + k), take));
                l = fused(l, s, choose(load(low->y + k), take));
                vector mean = times(plus(u, l), half), v = load(h + i + part * LANES);
                mean_squares = fused(mean, mean, mean_squares);
                squares = fused(v, v, squares);
                store(h + i + part * LANES, minus(v, mean));
                if (keep != NOTHING) store(w->mean + i + part * LANES, mean);
                if (keep == ENVELOPES) store(w->amplitude + i + part * LANES, times(minus(u, l), half));
                j += __builtin_popcount(bits);
                k += __builtin_popcount(others);
                position = advance(position);
            }
        }
        sum_mean = total(mean_squares);
        sum_h = total(squares);
    }
#endif
    int64_t last_up = up->first + up->count - 1, last_low = low->first + low->count - 1;
    for (; i < n; i++) {
        while (j < last_up && up->t[j + 1] <= (double)i) j++;
        while (k < last_low && low->t[k + 1] <= (double)i) k++;
        double u = ISA(value)(up, j, (double)i), l = ISA(value)(low, k, (double)i);
        double mean = (u + l) * 0.5;
        sum_mean += mean * mean;
        sum_h += h[i] * h[i];
        h[i] -= mean;
        if (keep != NOTHING) w->mean[i] = mean;
        if (keep == ENVELOPES) w->amplitude[i] = (u - l) * 0.5;
    }
    *mean_energy = sum_mean;
    *energy = sum_h;
}

/* ---- stopping rules ---------------------------------------------------------------------------------------- */

/* Rilling et al. 2003, section 3.2: |mean| / amplitude below 0.05 in 95 % of the samples, below 0.5 in all. */
static int ISA(rilling_satisfied)(const struct workspace *w) {
    int64_t above_small = 0, above_large = 0;
    for (int64_t i = 0; i < w->n; i++) {
        double mean = fabs(w->mean[i]), amplitude = fabs(w->amplitude[i]);
        above_small += mean > 0.05 * amplitude;
        above_large += mean > 0.5 * amplitude;
    }
    return above_large == 0 && (double)above_small <= 0.05 * (double)w->n;
}

/* PyEMD's three tests, of which one suffices. h is the new proto-IMF; old_range and energy are of the previous one. */
static int ISA(pyemd_satisfied)(const struct workspace *w, double old_range, double mean_energy, double energy) {
    double new_energy = 0, relative = 0;
    if (!(mean_energy / old_range < 0.001 || mean_energy / energy < 0.2)) {
        /* If every change is below sqrt(0.2) of its sample, the changes stay below 0.66 of the previous energy. */
        if (mean_energy > 0.7 * energy) return 0;
        for (int64_t i = 0; i < w->n; i++) {
            double change = w->mean[i] / w->h[i];
            relative += change * change;
        }
        if (!(relative < 0.2)) return 0;
    }
    for (int64_t i = 0; i < w->n; i++) new_energy += w->h[i] * w->h[i];
    return new_energy >= 1e-10;
}

static void ISA(widen)(const double *x, int64_t n, double *lowest, double *highest) {
    double low = *lowest, high = *highest;
    int64_t i = 0;
#if LANES > 1
    vector lows = spread(low), highs = spread(high);
    for (; i + LANES <= n; i += LANES) {
        lows = lower(lows, load(x + i));
        highs = higher(highs, load(x + i));
    }
    double part[2][LANES];
    store(part[0], lows);
    store(part[1], highs);
    for (int k = 0; k < LANES; k++) {
        low = part[0][k] < low ? part[0][k] : low;
        high = part[1][k] > high ? part[1][k] : high;
    }
#endif
    for (; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    *lowest = low;
    *highest = high;
}

/* PyEMD's precondition of the tests: no maximum below zero, no minimum above. Also computes the range of h. */
static int ISA(envelopes_on_their_sides)(const struct workspace *w, double *range) {
    const struct envelope *up = &w->env[MAXIMA], *low = &w->env[MINIMA];
    double lowest_max = INFINITY, highest_min = -INFINITY;
    double top = fmax(fmax(w->h[0], w->h[1]), w->h[w->n - 1]), bottom = fmin(fmin(w->h[0], w->h[1]), w->h[w->n - 1]);
    ISA(widen)(up->y + up->first, up->count, &lowest_max, &top);
    ISA(widen)(low->y + low->first, low->count, &bottom, &highest_min);
    *range = top - bottom; /* the largest sample is a maximum, or one of the first two or the last */
    return lowest_max >= 0 && highest_min <= 0;
}

static double ISA(energy_of)(const double *h, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += h[i] * h[i];
    return sum;
}

/* Sifts w->h until the rule is satisfied. Returns TREND if h has too few extrema for a mode (under the rules of PyEMD
 * and upstream also if it loses them). n_extrema is updated after each sift only by rules that use it. */
static enum outcome ISA(extract_mode)(struct workspace *w, const struct settings *s, int32_t *n_sifts,
                                      int64_t *n_extrema) {
    enum rule rule = s->rule;
    int both_twice = rule == RULE_UPSTREAM || rule == RULE_EMD; /* two of each kind; else three extrema in all */
    int64_t agreed = 0, extrema_before = -1, zeros_before = -1;
    int64_t extrema = ISA(find_extrema)(w, rule);
    int32_t done = 0, most = rule == RULE_PYEMD ? s->max_sifts - 1 : rule == RULE_FIXED ? s->n_sifts : s->max_sifts;
    enum outcome outcome = MODE;
    while (done < most) {
        int64_t fewest = w->env[0].interior < w->env[1].interior ? w->env[0].interior : w->env[1].interior;
        if ((both_twice ? fewest < 2 : extrema < 3 || fewest < 1) || !ISA(splines)(w, rule)) {
            if (done == 0 || rule == RULE_PYEMD || rule == RULE_UPSTREAM) outcome = TREND;
            break;
        }
        double mean_energy, energy, range = 0;
        int stop = 0, sided = 0;
        if (rule == RULE_RILLING) {
            ISA(subtract_mean)(w, ENVELOPES, &mean_energy, &energy);
            if (ISA(rilling_satisfied)(w)) { /* h before the subtraction is the mode */
                for (int64_t i = 0; i < w->n; i++) w->h[i] += w->mean[i];
                break;
            }
        } else if (rule == RULE_PYEMD) {
            sided = ISA(envelopes_on_their_sides)(w, &range);
            ISA(subtract_mean)(w, MEAN, &mean_energy, &energy);
        } else {
            ISA(subtract_mean)(w, NOTHING, &mean_energy, &energy);
        }
        done++;
        if (rule == RULE_SD) stop = mean_energy < s->threshold * energy;
        else if (rule == RULE_UPSTREAM) stop = mean_energy < s->threshold * (energy + 1e-10);
        else if (rule == RULE_EMD) stop = mean_energy < s->threshold * ISA(energy_of)(w->h, w->n);
        if (stop) break;
        extrema = ISA(find_extrema)(w, rule);
        if (rule == RULE_PYEMD) {
            if (sided && llabs(extrema - ISA(zero_crossings)(w->h, w->n)) < 2 &&
                ISA(pyemd_satisfied)(w, range, mean_energy, energy))
                break;
        } else if (rule == RULE_S_NUMBER) {
            int64_t zeros = ISA(zero_crossings)(w->h, w->n);
            int same = extrema == extrema_before && zeros == zeros_before;
            agreed = same && llabs(extrema - zeros) < 2 ? agreed + 1 : 0;
            if (agreed >= s->n_sifts) break;
            extrema_before = extrema;
            zeros_before = zeros;
        }
    }
    *n_sifts = done;
    *n_extrema = extrema;
    return outcome;
}
