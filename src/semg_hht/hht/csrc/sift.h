/* The sift, written once and compiled for each instruction set: kernel_*.c define ISA(name), LANES and include this. */
#include <float.h>
#include <math.h>
#include <string.h>

/* ---- extrema ----------------------------------------------------------------------------------------------- */

/* Strict interior extrema into knots and marks. Returns 1 where two neighbouring samples are equal. */
static int ISA(strict_extrema)(struct workspace *w) {
    const double *h = w->h;
    struct envelope *up = &w->env[MAXIMA], *low = &w->env[MINIMA];
    double *t_up = up->t + LEAD, *y_up = up->y + LEAD, *t_low = low->t + LEAD, *y_low = low->y + LEAD;
    int64_t n = w->n, n_up = 0, n_low = 0;
    unsigned flat = 0;
#if LANES > 1
    vector position = first_positions();
    for (int64_t i = 0; i < n; i += 8) {
        unsigned rises = 0, falls = 0, drops = 0, climbs = 0; /* bits: above left, above right, below left, below right */
        vector part[8 / LANES];
        for (int k = 0; k < 8 / LANES; k++) {
            vector v = load(h + i + k * LANES), l = load(h + i + k * LANES - 1), r = load(h + i + k * LANES + 1);
            part[k] = v;
            rises |= above(v, l) << (k * LANES);
            falls |= above(v, r) << (k * LANES);
            drops |= above(l, v) << (k * LANES);
            climbs |= above(r, v) << (k * LANES);
        }
        unsigned valid = 0xFF; /* samples with a neighbour to the left */
        if (i == 0) valid = 0xFE;
        if (i + 8 > n) valid &= 0xFFu >> (i + 8 - n);
        flat |= ~(rises | drops) & valid;
        if (i + 8 >= n) valid &= 0xFFu >> (i + 9 - n); /* the last sample has no right neighbour */
        unsigned is_max = rises & falls & valid, is_min = drops & climbs & valid;
        up->marks[i >> 3] = (uint8_t)is_max;
        low->marks[i >> 3] = (uint8_t)is_min;
        for (int k = 0; k < 8 / LANES; k++) {
            unsigned bits = is_max >> (k * LANES) & LANE_BITS, others = is_min >> (k * LANES) & LANE_BITS;
            store(t_up + n_up, squeeze(bits, position));
            store(y_up + n_up, squeeze(bits, part[k]));
            store(t_low + n_low, squeeze(others, position));
            store(y_low + n_low, squeeze(others, part[k]));
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

/* Extrema by the definition that belongs to the rule. */
static int64_t ISA(find_extrema)(struct workspace *w, enum rule rule) {
    if (rule == RULE_UPSTREAM || (ISA(strict_extrema)(w) && rule != RULE_EMD)) find_extrema_in_runs(w, rule);
    return w->env[MAXIMA].interior + w->env[MINIMA].interior;
}

/* Sign changes, with every run of zeros counted once. */
static int64_t ISA(zero_crossings)(const double *h, int64_t n) {
    int64_t count = 0, zeros = h[0] == 0;
    for (int64_t i = 1; i < n; i++) {
        count += h[i] * h[i - 1] < 0;
        zeros += (h[i] == 0) & (h[i - 1] != 0);
    }
    return count + zeros;
}

/* ---- splines ----------------------------------------------------------------------------------------------- */

/* Straight lines (two knots, or the upstream tool's fallback below four). */
static void ISA(lines)(struct envelope *e) {
    for (int64_t j = e->first; j < e->first + e->count - 1; j++) {
        e->c1[j] = (e->y[j + 1] - e->y[j]) / (e->t[j + 1] - e->t[j]);
        e->c2[j] = e->c3[j] = 0;
    }
}

/* Three knots: the parabola through them (what not-a-knot means there), or PyEMD's natural spline. */
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

/* The equations of a not-a-knot cubic for m = half the second derivative at the inner knots (four knots or more):
 * gap[j-1] m[j-1] + 2 (gap[j-1] + gap[j]) m[j] + gap[j] m[j+1] = 3 (slope[j] - slope[j-1]), the outer two unknowns put
 * in by a continuous third derivative. off[j] couples m[j] to m[j+1] and is not symmetric in the first and last row. */
static void ISA(equations)(struct envelope *e) {
    int64_t f = e->first, n = e->count;
    const double *restrict t = e->t + f, *restrict y = e->y + f;
    double *restrict gap = e->gap, *restrict slope = e->slope, *restrict inverse = e->inverse;
    double *restrict diagonal = e->diagonal, *restrict rhs = e->rhs;
    for (int64_t j = 0; j < n - 1; j++) {
        double g = t[j + 1] - t[j], i = 1 / g;
        gap[j] = g;
        inverse[j] = i;
        slope[j] = (y[j + 1] - y[j]) * i;
    }
    for (int64_t j = 1; j < n - 1; j++) {
        diagonal[j] = 2 * (gap[j - 1] + gap[j]);
        rhs[j] = 3 * (slope[j] - slope[j - 1]);
    }
    diagonal[1] += gap[0] * (1 + gap[0] * inverse[1]);
    diagonal[n - 2] += gap[n - 2] * (1 + gap[n - 2] * inverse[n - 3]);
}

/* Both systems are eliminated from both ends towards the middle: four chains of dependent divisions run side by side. */
static void ISA(solve)(struct envelope *env) {
    int64_t n[2], middle[2];
    double d_left[2], d_right[2], r_left[2], r_right[2], first_off[2], last_off[2];
    for (int k = 0; k < 2; k++) {
        struct envelope *e = &env[k];
        ISA(equations)(e);
        n[k] = e->count - 2; /* unknowns are 1..n */
        middle[k] = (n[k] + 1) / 2;
        d_left[k] = e->diagonal[1];
        r_left[k] = e->rhs[1];
        d_right[k] = e->diagonal[n[k]];
        r_right[k] = e->rhs[n[k]];
        first_off[k] = e->gap[1] - e->gap[0] * e->gap[0] * e->inverse[1];
        int64_t l = e->count - 2; /* last gap */
        last_off[k] = e->gap[l - 1] - e->gap[l] * e->gap[l] * e->inverse[l - 1];
    }
    struct envelope *a = &env[0], *b = &env[1];
    /* One step of a left chain at j: row j is divided by its pivot and taken from row j + 1. */
#define LEFT(e, k, j, to_next, from_next)                       \
    do {                                                        \
        double inverse_ = 1 / d_left[k];                        \
        e->ratio[j] = (to_next) * inverse_;                     \
        e->partial[j] = r_left[k] * inverse_;                   \
        d_left[k] = e->diagonal[(j) + 1] - (to_next) * (from_next) * inverse_; \
        r_left[k] = e->rhs[(j) + 1] - (from_next) * e->partial[j]; \
    } while (0)
#define RIGHT(e, k, j, to_next, from_next)                      \
    do {                                                        \
        double inverse_ = 1 / d_right[k];                       \
        e->ratio[j] = (to_next) * inverse_;                     \
        e->partial[j] = r_right[k] * inverse_;                  \
        d_right[k] = e->diagonal[(j) - 1] - (to_next) * (from_next) * inverse_; \
        r_right[k] = e->rhs[(j) - 1] - (from_next) * e->partial[j]; \
    } while (0)
    int64_t steps[2][2]; /* [kind][end]: eliminations on that side of the middle */
    for (int k = 0; k < 2; k++) {
        struct envelope *e = &env[k];
        steps[k][0] = middle[k] - 1;
        steps[k][1] = n[k] - middle[k];
        if (steps[k][0] > 0) LEFT(e, k, 1, first_off[k], e->gap[1]);
        /* Of two unknowns, the row that takes is the first one. */
        if (steps[k][1] > 0) RIGHT(e, k, n[k], last_off[k], n[k] == 2 ? first_off[k] : e->gap[n[k] - 1]);
    }
    int64_t shared = steps[0][0];
    for (int k = 0; k < 2; k++)
        for (int side = 0; side < 2; side++)
            if (steps[k][side] < shared) shared = steps[k][side];
    for (int64_t s = 1; s < shared; s++) {
        int64_t j = 1 + s, p = n[0] - s, q = n[1] - s;
        LEFT(a, 0, j, a->gap[j], a->gap[j]);
        LEFT(b, 1, j, b->gap[j], b->gap[j]);
        RIGHT(a, 0, p, a->gap[p - 1], a->gap[p - 1]);
        RIGHT(b, 1, q, b->gap[q - 1], b->gap[q - 1]);
    }
    if (shared < 1) shared = 1;
    for (int k = 0; k < 2; k++) {
        struct envelope *e = &env[k];
        for (int64_t s = shared; s < steps[k][0]; s++) LEFT(e, k, 1 + s, e->gap[1 + s], e->gap[1 + s]);
        for (int64_t s = shared; s < steps[k][1]; s++) {
            int64_t j = n[k] - s;
            RIGHT(e, k, j, e->gap[j - 1], e->gap[j - 1]);
        }
    }
#undef LEFT
#undef RIGHT
    double m_left[2], m_right[2];
    for (int k = 0; k < 2; k++) {
        struct envelope *e = &env[k];
        double *m = e->c2 + e->first;
        int64_t c = middle[k];
        /* The middle row takes what both neighbours left of it. */
        double d = d_left[k], r = r_left[k];
        if (steps[k][1] > 0) {
            d += d_right[k] - e->diagonal[c];
            r += r_right[k] - e->rhs[c];
        }
        m[c] = m_left[k] = m_right[k] = r / d;
    }
    double *ma = a->c2 + a->first, *mb = b->c2 + b->first;
    int64_t common = steps[0][0];
    for (int k = 0; k < 2; k++)
        for (int side = 0; side < 2; side++)
            if (steps[k][side] < common) common = steps[k][side];
    for (int64_t s = 1; s <= common; s++) {
        int64_t i = middle[0] - s, j = middle[0] + s, p = middle[1] - s, q = middle[1] + s;
        ma[i] = m_left[0] = a->partial[i] - a->ratio[i] * m_left[0];
        ma[j] = m_right[0] = a->partial[j] - a->ratio[j] * m_right[0];
        mb[p] = m_left[1] = b->partial[p] - b->ratio[p] * m_left[1];
        mb[q] = m_right[1] = b->partial[q] - b->ratio[q] * m_right[1];
    }
    for (int k = 0; k < 2; k++) {
        struct envelope *e = &env[k];
        double *m = e->c2 + e->first;
        for (int64_t i = middle[k] - common - 1; i >= 1; i--) m[i] = e->partial[i] - e->ratio[i] * m[i + 1];
        for (int64_t j = middle[k] + common + 1; j <= n[k]; j++) m[j] = e->partial[j] - e->ratio[j] * m[j - 1];
    }
}

/* Polynomials of all intervals from the second derivatives. */
static void ISA(polynomials)(struct envelope *e) {
    int64_t f = e->first, n = e->count;
    double *restrict m = e->c2 + f, *restrict c1 = e->c1 + f, *restrict c3 = e->c3 + f;
    const double *restrict gap = e->gap, *restrict inverse = e->inverse, *restrict slope = e->slope;
    m[0] = m[1] + (m[1] - m[2]) * gap[0] * inverse[1];
    m[n - 1] = m[n - 2] + (m[n - 2] - m[n - 3]) * gap[n - 2] * inverse[n - 3];
    for (int64_t j = 0; j < n - 1; j++) {
        c1[j] = slope[j] - gap[j] * (2 * m[j] + m[j + 1]) * (1.0 / 3);
        c3[j] = (m[j + 1] - m[j]) * inverse[j] * (1.0 / 3);
    }
}

static int ISA(splines)(struct workspace *w, enum rule rule) {
    if (!(rule == RULE_UPSTREAM ? add_upstream_ends(w) : add_mirrored_knots(w, rule))) return 0;
    if (w->env[0].count >= 4 && w->env[1].count >= 4) {
        ISA(solve)(w->env);
        for (int k = 0; k < 2; k++) ISA(polynomials)(&w->env[k]);
    } else {
        for (int k = 0; k < 2; k++) {
            struct envelope *e = &w->env[k];
            if (e->count >= 4) { /* the pair is solved together: beside a short one, a copy of itself */
                struct envelope pair[2] = {*e, *e};
                ISA(solve)(pair);
                ISA(polynomials)(e);
            } else if (e->count == 3 && rule != RULE_UPSTREAM) {
                ISA(three_knots)(e, rule == RULE_PYEMD);
            } else {
                ISA(lines)(e);
            }
        }
    }
    for (int k = 0; k < 2; k++) { /* from the last knot on the envelope is constant; most stand past the end */
        struct envelope *e = &w->env[k];
        int64_t before = e->first - 1, after = e->first + e->count - 1;
        e->c1[after] = e->c2[after] = e->c3[after] = 0;
        e->t[before] = -1; /* and so it is before the first, which only the upstream rule lets stand inside */
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

/* Takes the mean envelope from h; adds up its energy and, of h before, the energy. */
static inline void ISA(subtract_mean)(struct workspace *w, enum keep keep, double *mean_energy, double *energy) {
    double *restrict h = w->h;
    const struct envelope *up = &w->env[MAXIMA], *low = &w->env[MINIMA];
    int64_t n = w->n, i = 0, j = up->first + up->start, k = low->first + low->start;
    double sum_mean = 0, sum_h = 0;
#if LANES > 1
    /* A block of LANES samples holds so few knots that one load of each coefficient has every interval it touches; the
     * marks then say which lane takes which. No branch and no gather, however dense the knots. */
    if (up->sparse && low->sparse) {
        vector mean_squares = zeros(), squares = zeros(), position = first_positions(), half = spread(0.5);
        for (; i + 8 <= n; i += 8) {
            unsigned marks_up = up->marks[i >> 3], marks_low = low->marks[i >> 3];
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

/* Rilling et al. 2003, section 3.2: |mean| / amplitude below 0.05 but for 5 % of the samples, below 0.5 everywhere. */
static int ISA(rilling_satisfied)(const struct workspace *w) {
    int64_t above_small = 0, above_large = 0;
    for (int64_t i = 0; i < w->n; i++) {
        double mean = fabs(w->mean[i]), amplitude = fabs(w->amplitude[i]);
        above_small += mean > 0.05 * amplitude;
        above_large += mean > 0.5 * amplitude;
    }
    return above_large == 0 && (double)above_small <= 0.05 * (double)w->n;
}

/* PyEMD's three tests, of which one suffices. h is the new proto-IMF, old_range and energy are of the one before. */
static int ISA(pyemd_satisfied)(const struct workspace *w, double old_range, double mean_energy, double energy) {
    double new_energy = 0, relative = 0;
    for (int64_t i = 0; i < w->n; i++) new_energy += w->h[i] * w->h[i];
    if (new_energy < 1e-10) return 0;
    if (mean_energy / old_range < 0.001 || mean_energy / energy < 0.2) return 1;
    for (int64_t i = 0; i < w->n; i++) {
        double change = w->mean[i] / w->h[i];
        relative += change * change;
    }
    return relative < 0.2;
}

/* Whether PyEMD would look at the tests: no maximum below zero, no minimum above; also the range of h. */
static int ISA(envelopes_on_their_sides)(const struct workspace *w, double *range) {
    const struct envelope *up = &w->env[MAXIMA], *low = &w->env[MINIMA];
    double lowest_max = INFINITY, highest_min = -INFINITY;
    double top = fmax(fmax(w->h[0], w->h[1]), w->h[w->n - 1]), bottom = fmin(fmin(w->h[0], w->h[1]), w->h[w->n - 1]);
    for (int64_t j = up->first; j < up->first + up->count; j++) {
        lowest_max = up->y[j] < lowest_max ? up->y[j] : lowest_max;
        top = up->y[j] > top ? up->y[j] : top;
    }
    for (int64_t j = low->first; j < low->first + low->count; j++) {
        highest_min = low->y[j] > highest_min ? low->y[j] : highest_min;
        bottom = low->y[j] < bottom ? low->y[j] : bottom;
    }
    *range = top - bottom; /* the greatest sample is a maximum or one of the first two or the last */
    return lowest_max >= 0 && highest_min <= 0;
}

static double ISA(energy_of)(const double *h, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += h[i] * h[i];
    return sum;
}

/* Sifts w->h until the rule is satisfied. TREND where h cannot (or, for the rules of PyEMD and upstream, can no longer)
 * carry a mode. n_extrema is only counted again at the end where the rule itself does. */
static enum outcome ISA(extract_mode)(struct workspace *w, const struct settings *s, int32_t *n_sifts,
                                      int64_t *n_extrema) {
    enum rule rule = s->rule;
    int both_twice = rule == RULE_UPSTREAM || rule == RULE_EMD; /* two maxima and two minima; else three in all */
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
            if (ISA(rilling_satisfied)(w)) { /* this h is the mode */
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
