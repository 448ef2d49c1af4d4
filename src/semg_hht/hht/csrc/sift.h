/* The sift, compiled for each instruction set: each kernel_*.c defines ISA(name) and LANES and includes this file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"

/* ---- extrema ----------------------------------------------------------------------------------------------- */

/* Writes strict interior extrema to knots and marks. Returns 1 if any two neighbouring samples are equal. */
static int ISA(strict_extrema)(struct workspace *w) {
    const double *h = w->h;
    struct envelope *up = &w->env[MAXIMA], *low = &w->env[MINIMA];
    double *t_up = up->t + LEAD, *t_low = low->t + LEAD; /* of the next extremum; its value lies y doubles further on */
    int64_t n = w->n, y = w->apart;
    int flat = 0;
#if LANES > 1
    vector position = first_positions();
    uint8_t *marks_up = up->marks, *marks_low = low->marks;
    unsigned all_equal = 0;
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
        unsigned equal = ~(climbs | falls);
        if (i + 8 >= n) {
            unsigned has_right = 0xFFu >> (i + 9 - n);
            climbs &= has_right;
            falls &= has_right;
            equal &= has_right;
        }
        all_equal |= equal;
        rises |= climbs << 1;
        drops |= falls << 1;
        unsigned is_max = rises & falls, is_min = drops & climbs; /* no sample without two neighbours */
        marks_up[i >> 3] = (uint8_t)is_max;
        marks_low[i >> 3] = (uint8_t)is_min;
        /* Extrema of one kind are at least two samples apart, so half a vector holds those of one vector. */
        if (!(is_max | is_min)) {
            for (int k = 0; k < 8 / LANES; k++) position = advance(position);
            continue;
        }
        for (int k = 0; k < 8 / LANES; k++) {
            unsigned bits = is_max >> (k * LANES) & LANE_BITS, others = is_min >> (k * LANES) & LANE_BITS;
            selection up_first = front(bits), low_first = front(others);
            store_half(t_up, choose(position, up_first));
            store_half(t_up + y, choose(part[k], up_first));
            store_half(t_low, choose(position, low_first));
            store_half(t_low + y, choose(part[k], low_first));
            t_up += __builtin_popcount(bits);
            t_low += __builtin_popcount(others);
            position = advance(position);
        }
    }
    flat = (all_equal & 0xFF) != 0;
#else
    memset(up->marks, 0, (size_t)(n >> 3) + 2);
    memset(low->marks, 0, (size_t)(n >> 3) + 2);
    for (int64_t i = 1; i < n - 1; i++) {
        int is_max = (h[i] > h[i - 1]) & (h[i] > h[i + 1]), is_min = (h[i] < h[i - 1]) & (h[i] < h[i + 1]);
        t_up[0] = t_low[0] = (double)i;
        t_up[y] = t_low[y] = h[i];
        t_up += is_max;
        t_low += is_min;
        up->marks[i >> 3] |= (uint8_t)(is_max << (i & 7));
        low->marks[i >> 3] |= (uint8_t)(is_min << (i & 7));
        flat |= h[i] == h[i - 1];
    }
    flat |= h[n - 1] == h[n - 2];
#endif
    up->marks[(n + 7) >> 3] = low->marks[(n + 7) >> 3] = 0;
    up->interior = t_up - up->t - LEAD;
    low->interior = t_low - low->t - LEAD;
    return flat;
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

#include "splines.h"

/* ---- evaluation -------------------------------------------------------------------------------------------- */

static inline double ISA(value)(const struct envelope *e, int64_t j, double at) {
    double s = at - e->t[j];
    return e->y[j] + s * (e->c1[j] + s * (e->c2[j] + s * e->c3[j]));
}

#if LANES > 1
/* Cubics at LANES samples: the first one, whose knot is t, and from the sample of each set bit on the next one. They
 * are so few that one load of a coefficient (of four cubics or fewer, half a load) holds that of all of them. It is then
 * selected for each sample. This needs no branch and no gather, even for dense knots. */
ALWAYS_INLINE vector ISA(cubics_at)(const double *t, int64_t apart, vector position, unsigned bits, const int few) {
#define SELECTED(p) choose(few ? load_four(p) : load(p), pick)
    selection pick = intervals(bits);
    vector s = minus(position, SELECTED(t)), v = fused(SELECTED(t + 4 * apart), s, SELECTED(t + 3 * apart));
    return fused(fused(v, s, SELECTED(t + 2 * apart)), s, SELECTED(t + apart));
#undef SELECTED
}

/* Subtracts the mean of the envelopes at LANES samples from i on. */
ALWAYS_INLINE void ISA(subtract_half_sum)(const struct workspace *w, const enum keep keep, double *h, int64_t i,
                                          vector up, vector low, vector *mean_squares, vector *squares) {
    vector half = spread(0.5), mean = times(plus(up, low), half), v = load(h + i);
    *mean_squares = fused(mean, mean, *mean_squares);
    *squares = fused(v, v, *squares);
    store(h + i, minus(v, mean));
    if (keep != NOTHING) store(w->mean + i, mean);
    if (keep == ENVELOPES) store(w->amplitude + i, times(minus(up, low), half));
}
#endif

/* Subtracts the mean envelope from h; returns the energies of the mean and of h before the subtraction. */
ALWAYS_INLINE void ISA(subtract_mean)(struct workspace *w, enum keep keep, double *mean_energy, double *energy) {
    double *restrict h = w->h;
    const struct envelope *up = &w->env[MAXIMA], *low = &w->env[MINIMA];
    int64_t n = w->n, i = 0, j = up->first + up->start, k = low->first + low->start;
    double sum_mean = 0, sum_h = 0;
#if LANES > 1
    if (up->sparse && low->sparse) {
        const double *u0 = up->t + j, *l0 = low->t + k;
        int64_t apart = w->apart;
        vector mean_squares = zeros(), squares = zeros(), position = first_positions();
        for (; i + 8 <= n; i += 8) {
            unsigned marks_up = up->marks[i >> 3], marks_low = low->marks[i >> 3];
            if (!(marks_up | marks_low)) { /* one cubic per envelope for the whole block, as usual in slow modes */
                j = u0 - up->t;
                k = l0 - low->t;
                vector t_up = spread(up->t[j]), t_low = spread(low->t[k]);
                for (int part = 0; part < 8; part += LANES) {
                    vector s = minus(position, t_up), r = minus(position, t_low);
                    vector u = fused(spread(up->c3[j]), s, spread(up->c2[j]));
                    vector l = fused(spread(low->c3[k]), r, spread(low->c2[k]));
                    u = fused(fused(u, s, spread(up->c1[j])), s, spread(up->y[j]));
                    l = fused(fused(l, r, spread(low->c1[k])), r, spread(low->y[k]));
                    ISA(subtract_half_sum)(w, keep, h, i + part, u, l, &mean_squares, &squares);
                    position = advance(position);
                }
                continue;
            }
            for (int part = 0; part < 8; part += LANES) {
                unsigned bits = marks_up >> part & LANE_BITS, others = marks_low >> part & LANE_BITS;
                vector u, l;
                if (LANES == 8 && (bits == 0xAA || others == 0xAA)) { /* the only pattern with more than four cubics */
                    u = ISA(cubics_at)(u0, apart, position, bits, 0);
                    l = ISA(cubics_at)(l0, apart, position, others, 0);
                } else {
                    if (LANES == 8) { /* that before a knot at the first sample is not needed */
                        u0 += bits & 1;
                        l0 += others & 1;
                        bits &= ~1u;
                        others &= ~1u;
                    }
                    u = ISA(cubics_at)(u0, apart, position, bits, 1);
                    l = ISA(cubics_at)(l0, apart, position, others, 1);
                }
                ISA(subtract_half_sum)(w, keep, h, i + part, u, l, &mean_squares, &squares);
                u0 += __builtin_popcount(bits);
                l0 += __builtin_popcount(others);
                position = advance(position);
            }
        }
        j = u0 - up->t;
        k = l0 - low->t;
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
        for (int64_t i = 0; i < w->n && relative < 0.2; i++) {
            double change = w->mean[i] / w->h[i];
            relative += change * change;
        }
        if (!(relative < 0.2)) return 0;
    }
    for (int64_t i = 0; i < w->n && new_energy < 1e-10; i++) new_energy += w->h[i] * w->h[i]; /* sums only grow */
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

/* PyEMD's precondition of the tests: no maximum below zero, no minimum above. Then also computes the range of h. */
static int ISA(envelopes_on_their_sides)(const struct workspace *w, double *range) {
    const struct envelope *up = &w->env[MAXIMA], *low = &w->env[MINIMA];
    double lowest_max = INFINITY, highest_min = -INFINITY;
    double top = fmax(fmax(w->h[0], w->h[1]), w->h[w->n - 1]), bottom = fmin(fmin(w->h[0], w->h[1]), w->h[w->n - 1]);
    for (int64_t i = 0; i < up->count && lowest_max >= 0; i += 64) /* often an early maximum is below zero */
        ISA(widen)(up->y + up->first + i, up->count - i < 64 ? up->count - i : 64, &lowest_max, &top);
    if (lowest_max < 0) return 0;
    ISA(widen)(low->y + low->first, low->count, &bottom, &highest_min);
    *range = top - bottom; /* the largest sample is a maximum, or one of the first two or the last */
    return highest_min <= 0;
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
            if (sided) ISA(subtract_mean)(w, MEAN, &mean_energy, &energy); /* only the tests read the mean */
            else ISA(subtract_mean)(w, NOTHING, &mean_energy, &energy);
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
