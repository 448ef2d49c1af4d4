/* Cubics between the knots of both envelopes. Included by sift.h. */

/* Straight lines between the knots, for two knots, or below four in the upstream tool. */
static void ISA(lines)(struct envelope *e) {
    for (int64_t j = e->first; j < e->first + e->count - 1; j++) {
        e->c1[j] = (e->y[j + 1] - e->y[j]) / (e->t[j + 1] - e->t[j]);
        e->c2[j] = e->c3[j] = 0;
    }
}

/* Cubic of the interval after knot j. A bend is a sixth of the second derivative at a knot. */
static void ISA(cubic)(struct envelope *e, int64_t j, double bend, double next_bend) {
    double gap = e->t[j + 1] - e->t[j], slope = (e->y[j + 1] - e->y[j]) / gap;
    e->c1[j] = slope - gap * (2 * bend + next_bend);
    e->c2[j] = 3 * bend;
    e->c3[j] = (next_bend - bend) / gap;
}

/* Three knots: the parabola through them (the not-a-knot spline), or PyEMD's natural spline. */
static void ISA(three_knots)(struct envelope *e, int natural) {
    const double *t = e->t + e->first, *y = e->y + e->first;
    double second = ((y[2] - y[1]) / (t[2] - t[1]) - (y[1] - y[0]) / (t[1] - t[0])) / (t[2] - t[0]);
    double middle = second / (natural ? 2 : 3), end = natural ? 0 : middle;
    ISA(cubic)(e, e->first, end, middle);
    ISA(cubic)(e, e->first + 1, middle, end);
}

/* Four knots: the cubic through all of them, by divided differences. */
static void ISA(four_knots)(struct envelope *e) {
    const double *t = e->t + e->first, *y = e->y + e->first;
    double s0 = (y[1] - y[0]) / (t[1] - t[0]), s1 = (y[2] - y[1]) / (t[2] - t[1]), s2 = (y[3] - y[2]) / (t[3] - t[2]);
    double second = (s1 - s0) / (t[2] - t[0]), third = ((s2 - s1) / (t[3] - t[1]) - second) / (t[3] - t[0]);
    double bend[4], centre = (t[0] + t[1] + t[2]) / 3;
    for (int j = 0; j < 4; j++) bend[j] = second / 3 + third * (t[j] - centre);
    for (int j = 0; j < 3; j++) ISA(cubic)(e, e->first + j, bend[j], bend[j + 1]);
}

/* Equation of an inner knot:
 * gap[j-1] bend[j-1] + 2 (gap[j-1] + gap[j]) bend[j] + gap[j] bend[j+1] = slope[j] - slope[j-1]. The bends at the ends
 * follow from a continuous third derivative at the knots next to them (not-a-knot).
 *
 * Each spline is eliminated from both ends towards its middle. These four chains of dependent steps, two of each
 * envelope, are the lanes of one vector: upper left, upper right, lower left, lower right. Each counts knots and
 * intervals from its own end. In right lanes gaps are negative, which changes the sign of whole equations only. */
enum { CHAINS = 4, MIDDLE = 16 };

struct ISA(step) {
    lane ratio, partial;       /* bend[j] = partial - ratio * bend[j+1] */
    lane gap, one_over_gap, slope; /* of the interval between knots j and j + 1 */
};

struct ISA(chains) {
    const double *t[CHAINS], *y[CHAINS]; /* at each chain's end of the spline */
    double *c1[CHAINS], *c2[CHAINS], *c3[CHAINS];
    struct ISA(step) *steps; /* (steps, CHAINS / N_LANES) */
    int64_t count;           /* steps of elimination, all chains alike */
    int first;               /* of the chains in the vector */
};

static inline struct ISA(step) *ISA(step_at)(const struct ISA(chains) *c, int64_t j) {
    return c->steps + j * (CHAINS / N_LANES) + c->first / N_LANES;
}

/* The pivot of step j is p[j] / p[j-1], where p[j] = 2 (gap[j-1] + gap[j]) p[j-1] - gap[j-1]^2 p[j-2]: the steps that
 * wait for each other contain no division, and one division serves both the pivot and the gap. */
static void ISA(eliminate)(const struct ISA(chains) *c) {
    const lane one = 1 + (lane){0};
    struct ISA(step) *s = ISA(step_at)(c, 0);
    lane t[4], y[4];
    ISA(read_four)(c->t, c->first, 0, t);
    ISA(read_four)(c->y, c->first, 0, y);
    lane gap = t[1] - t[0], slope = (y[1] - y[0]) / gap, before = gap, slope_before = slope;
    s->gap = gap;
    s->one_over_gap = one / gap;
    s->slope = slope;
    /* In the first equation the bend at the end is bend[1] + (bend[1] - bend[2]) skew. */
    gap = t[2] - t[1];
    lane one_over_gap = one / gap, skew = before * one_over_gap;
    lane one_over_pivot = one / (3 * before + 2 * gap + before * skew);
    slope = (y[2] - y[1]) * one_over_gap;
    lane ratio = (gap - before * skew) * one_over_pivot, partial = (slope - slope_before) * one_over_pivot;
    *ISA(step_at)(c, 1) = (struct ISA(step)){ratio, partial, gap, one_over_gap, slope};
    lane p = one, p_before = ratio * one_over_gap, last_t = t[2], last_y = y[2];
    for (int64_t j = 2; j <= c->count; j += 4) { /* up to three steps more than needed, which nobody reads */
        if (j % 32 == 2) { /* p must not overflow */
            p_before = p_before / p;
            p = one;
        }
        ISA(read_four)(c->t, c->first, j + 1, t);
        ISA(read_four)(c->y, c->first, j + 1, y);
        for (int k = 0; k < 4; k++) {
            before = gap;
            slope_before = slope;
            gap = t[k] - last_t;
            lane p_next = 2 * (before + gap) * p - before * before * p_before, both = one / (gap * p_next);
            one_over_gap = both * p_next;
            one_over_pivot = both * gap * p;
            slope = (y[k] - last_y) * one_over_gap;
            partial = (slope - slope_before) * one_over_pivot - before * one_over_pivot * partial;
            s = ISA(step_at)(c, j + k);
            s->ratio = gap * one_over_pivot;
            s->partial = partial;
            s->gap = gap;
            s->one_over_gap = one_over_gap;
            s->slope = slope;
            p_before = p;
            p = p_next;
            last_t = t[k];
            last_y = y[k];
        }
    }
}

/* Solves the rows between the two chains of a spline, whose ratios and partials of step `count` are given. Replaces the
 * partials by the bends of the outermost of these rows. */
static void ISA(solve_middle)(struct envelope *e, int64_t count, const double *chain_ratio, double *chain_partial) {
    double partial[MIDDLE], ratio[MIDDLE], bend[MIDDLE];
    int64_t last_left = e->first + count, n = e->count - 2 - 2 * count; /* knot of the left chain's last step; rows */
    const double *t = e->t + last_left, *y = e->y + last_left;
    double gap = t[1] - t[0], slope = (y[1] - y[0]) / gap;
    ratio[0] = chain_ratio[0];
    partial[0] = chain_partial[0];
    for (int64_t i = 1; i <= n; i++) {
        double before = gap, slope_before = slope;
        gap = t[i + 1] - t[i];
        slope = (y[i + 1] - y[i]) / gap;
        double pivot = 2 * (before + gap) - before * ratio[i - 1];
        double right_side = slope - slope_before - before * partial[i - 1];
        if (i == n) { /* next to the right chain */
            pivot -= gap * chain_ratio[1];
            right_side -= gap * chain_partial[1];
        }
        ratio[i] = gap / pivot;
        partial[i] = right_side / pivot;
    }
    bend[n] = partial[n];
    for (int64_t i = n - 1; i >= 1; i--) {
        bend[i] = partial[i] - ratio[i] * bend[i + 1];
        ISA(cubic)(e, last_left + i, bend[i], bend[i + 1]);
    }
    chain_partial[0] = bend[1];
    chain_partial[1] = bend[n];
}

/* A cubic begins at the left one of its two knots, which in right chains is the one nearer to the middle. Its
 * coefficients are sums of the bends at the far and at the near knot with these weights. */
static const double ISA(weights)[4][CHAINS] = {{2, -1, 2, -1}, {1, -2, 1, -2}, {3, 0, 3, 0}, {0, 3, 0, 3}};

struct ISA(cubics) {
    lane c1_far, c1_near, c2_far, c2_near; /* weights */
    lane c1[4], c2[4], c3[4];              /* of up to four steps */
};

static inline void ISA(set_cubic)(struct ISA(cubics) *q, int k, const struct ISA(step) *s, const lane *far,
                                  const lane *near) {
    q->c1[k] = s->slope - s->gap * (q->c1_far * *far + q->c1_near * *near);
    q->c2[k] = q->c2_far * *far + q->c2_near * *near;
    q->c3[k] = (*near - *far) * s->one_over_gap;
}

static inline void ISA(write_cubic)(const struct ISA(chains) *c, const struct ISA(cubics) *q, int64_t j) {
    ISA(write_one)(c->c1, c->first, j, q->c1);
    ISA(write_one)(c->c2, c->first, j, q->c2);
    ISA(write_one)(c->c3, c->first, j, q->c3);
}

/* From the middle, where the next bends are given, to the ends: bends and with them the cubics. */
static void ISA(substitute)(const struct ISA(chains) *c, const double *next_bends) {
    struct ISA(cubics) q = {0};
    memcpy(&q.c1_far, ISA(weights)[0] + c->first, sizeof(lane));
    memcpy(&q.c1_near, ISA(weights)[1] + c->first, sizeof(lane));
    memcpy(&q.c2_far, ISA(weights)[2] + c->first, sizeof(lane));
    memcpy(&q.c2_near, ISA(weights)[3] + c->first, sizeof(lane));
    lane near, far;
    memcpy(&near, next_bends + c->first, sizeof(lane));
    const struct ISA(step) *s;
    int64_t j = c->count;
    for (; j % 4; j--) { /* until the remaining steps are fours */
        s = ISA(step_at)(c, j);
        far = s->partial - s->ratio * near;
        ISA(set_cubic)(&q, 0, s, &far, &near);
        ISA(write_cubic)(c, &q, j);
        near = far;
    }
    for (; j > 0; j -= 4) {
        for (int k = 3; k >= 0; k--) {
            s = ISA(step_at)(c, j - 3 + k);
            far = s->partial - s->ratio * near;
            ISA(set_cubic)(&q, k, s, &far, &near);
            near = far;
        }
        ISA(write_four)(c->c1, c->first, j - 3, q.c1);
        ISA(write_four)(c->c2, c->first, j - 3, q.c2);
        ISA(write_four)(c->c3, c->first, j - 3, q.c3);
    }
    s = ISA(step_at)(c, 0);
    far = near - s->gap * q.c3[0]; /* the third derivative is continuous at knot 1 */
    ISA(set_cubic)(&q, 0, s, &far, &near);
    ISA(write_cubic)(c, &q, 0);
}

/* Not-a-knot splines of two envelopes with five knots or more, whose numbers differ by at most eight. */
static void ISA(solve)(struct envelope *up, struct envelope *low, double *steps) {
    struct envelope *const envelopes[2] = {up, low};
    struct ISA(chains) c = {.steps = (struct ISA(step) *)steps};
    c.count = ((up->count < low->count ? up->count : low->count) - 3) / 2; /* at least one row remains in the middle */
    for (int l = 0; l < CHAINS; l++) {
        struct envelope *e = envelopes[l / 2];
        int64_t end = e->first + (l % 2 ? e->count - 1 : 0), left = end - l % 2; /* left knot of the first interval */
        c.t[l] = e->t + end;
        c.y[l] = e->y + end;
        c.c1[l] = e->c1 + left;
        c.c2[l] = e->c2 + left;
        c.c3[l] = e->c3 + left;
    }
    for (c.first = 0; c.first < CHAINS; c.first += N_LANES) ISA(eliminate)(&c);
    double ratio[CHAINS], partial[CHAINS];
    for (c.first = 0; c.first < CHAINS; c.first += N_LANES) {
        memcpy(ratio + c.first, &ISA(step_at)(&c, c.count)->ratio, sizeof(lane));
        memcpy(partial + c.first, &ISA(step_at)(&c, c.count)->partial, sizeof(lane));
    }
    for (int k = 0; k < 2; k++) ISA(solve_middle)(envelopes[k], c.count, ratio + 2 * k, partial + 2 * k);
    for (c.first = 0; c.first < CHAINS; c.first += N_LANES) ISA(substitute)(&c, partial);
}

static int ISA(splines)(struct workspace *w, enum rule rule) {
    if (rule != RULE_UPSTREAM && !add_mirrored_knots(w, rule)) return 0;
    struct envelope *up = &w->env[MAXIMA], *low = &w->env[MINIMA];
    int together = up->count >= 5 && low->count >= 5 && llabs(up->count - low->count) <= 8;
    if (together) ISA(solve)(up, low, w->steps);
    for (int k = 0; k < 2; k++) {
        struct envelope *e = &w->env[k];
        if (!together) {
            if (e->count >= 5) ISA(solve)(e, e, w->steps);
            else if (e->count == 4) ISA(four_knots)(e);
            else if (e->count == 3 && rule != RULE_UPSTREAM) ISA(three_knots)(e, rule == RULE_PYEMD);
            else ISA(lines)(e);
        }
        /* The envelope is constant after the last knot, which usually lies beyond the end, and before the first, which
         * lies inside only under the upstream rule. */
        int64_t before = e->first - 1, after = e->first + e->count - 1;
        e->c1[after] = e->c2[after] = e->c3[after] = 0;
        e->t[before] = -1;
        e->y[before] = e->y[e->first];
        e->c1[before] = e->c2[before] = e->c3[before] = 0;
    }
    return 1;
}
