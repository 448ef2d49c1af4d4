/* Uses of the sift: the decomposition of a signal mode by mode, and the sum over the trials of an ensemble. Included
 * after sift.h and, like it, compiled for each instruction set. */

static void ISA(extent)(const double *x, int64_t n, double *lowest, double *highest) {
    *lowest = *highest = x[0];
    ISA(widen)(x, n, lowest, highest);
}

/* Range of x, or of its first samples if that already exceeds `enough`. */
static double ISA(range_of)(const double *x, int64_t n, double enough) {
    double low, high;
    ISA(extent)(x, n < 64 ? n : 64, &low, &high);
    if (!(high - low > enough)) ISA(extent)(x, n, &low, &high);
    return high - low;
}

/* Eight partial sums, because each addition to a single sum would wait for the previous one. */
static double ISA(sum_of)(const double *x, int64_t n, int sizes_only) {
    double sums[8] = {0}, sum = 0;
    int64_t i = 0;
    if (sizes_only)
        for (; i + 8 <= n; i += 8)
            for (int k = 0; k < 8; k++) sums[k] += fabs(x[i + k]);
    else
        for (; i + 8 <= n; i += 8)
            for (int k = 0; k < 8; k++) sums[k] += x[i + k];
    for (; i < n; i++) sums[i & 7] += sizes_only ? fabs(x[i]) : x[i];
    for (int k = 0; k < 8; k++) sum += sums[k];
    return sum;
}

/* A rest below 1e-10 of the signal is rounding error of the subtraction. */
static double ISA(smallest_of)(const double *x, int64_t n) {
    double centre = ISA(sum_of)(x, n, 0) / (double)n, low, high;
    ISA(extent)(x, n, &low, &high);
    return 1e-10 * fmax(high - centre, centre - low);
}

static int ISA(monotonic)(const double *x, int64_t n) {
    int rises = 0, falls = 0;
    for (int64_t i = 1; i < n; i++) {
        rises |= x[i] > x[i - 1];
        falls |= x[i] < x[i - 1];
    }
    return !(rises && falls);
}

/* Whether the rest is too small to sift, by the definition of the library that the rule comes from. */
static int ISA(spent)(const struct stream *s, const struct settings *set, int64_t n) {
    const double *rest = s->rest;
    if (set->rule == RULE_PYEMD)
        return s->n_modes > 0 && (ISA(range_of)(rest, n, 0.001) < 0.001 ||
                                  (ISA(sum_of)(rest, n < 64 ? n : 64, 1) < 0.005 && ISA(sum_of)(rest, n, 1) < 0.005));
    if (set->rule == RULE_UPSTREAM) return s->n_modes > 0 && ISA(monotonic)(rest, n);
    if (set->rule == RULE_EMD) /* emd's 50 dB: 20 log10 of a ratio of energies */
        return s->n_modes > 0 && (ISA(sum_of)(rest, n, 1) < 1e-8 ||
                                  ISA(energy_of)(s->x, n) > pow(10, 2.5) * ISA(energy_of)(rest, n));
    return !(ISA(range_of)(rest, n, s->smallest) > s->smallest);
}

/* Writes the next mode to out, updates rest and returns 1; returns 0 if there is no mode. */
static int ISA(next_mode)(struct stream *s, struct workspace *w, const struct settings *set, double *restrict out,
                          int32_t *n_sifts) {
    int64_t n = w->n, n_extrema;
    *n_sifts = 0;
    if (s->done || s->n_modes >= set->max_imfs || ISA(spent)(s, set, n)) {
        s->done = 1;
        return 0;
    }
    double *restrict h = w->h, *restrict rest = s->rest;
    memcpy(h, rest, sizeof(double) * (size_t)n);
    h[-1] = h[n] = 0;
    if (ISA(extract_mode)(w, set, n_sifts, &n_extrema) == TREND) {
        s->done = 1;
        return 0;
    }
    s->n_modes++;
    if (set->rule != RULE_PYEMD) {
        for (int64_t i = 0; i < n; i++) {
            out[i] = h[i];
            rest[i] -= h[i];
        }
        return 1;
    }
    double *restrict sum = s->sum, *restrict before = w->mean; /* before: to restore if this mode is dropped */
    const double *restrict x = s->x;
    if (n_extrema <= 2) memcpy(before, rest, sizeof(double) * (size_t)n);
    if (sum)
        for (int64_t i = 0; i < n; i++) {
            out[i] = h[i];
            sum[i] += h[i];
            rest[i] = x[i] - sum[i];
        }
    else
        for (int64_t i = 0; i < n; i++) {
            out[i] = h[i];
            rest[i] = x[i] - (x[i] - rest[i] + h[i]);
        }
    if (n_extrema <= 2 && (s->n_modes == set->max_imfs || ISA(spent)(s, set, n))) { /* PyEMD drops it */
        memcpy(rest, before, sizeof(double) * (size_t)n);
        s->done = 1;
        return 0;
    }
    return 1;
}

/* Adds to out the first mode of a trial, or with want_mean the trial less this mode, or a trial without a mode. */
static void ISA(add_trial)(const struct trial *t, struct workspace *w, const struct settings *set,
                           double *restrict out, int32_t *n_sifts) {
    int64_t n = w->n, n_extrema;
    double *restrict h = w->h, much = t->scale;
    const double *restrict base = t->base, *restrict noise = t->noise;
    for (int64_t i = 0; i < n; i++) h[i] = base[i] + much * noise[i];
    h[-1] = h[n] = 0;
    enum outcome outcome = ISA(extract_mode)(w, set, n_sifts, &n_extrema);
    /* PyEMD drops a mode that ended with two extrema or fewer. */
    if (outcome == TREND || (set->rule == RULE_PYEMD && n_extrema <= 2))
        for (int64_t i = 0; i < n; i++) out[i] += base[i] + much * noise[i];
    else if (t->want_mean)
        for (int64_t i = 0; i < n; i++) out[i] += base[i] + much * noise[i] - h[i];
    else
        for (int64_t i = 0; i < n; i++) out[i] += h[i];
}
