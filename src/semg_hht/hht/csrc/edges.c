/* Knots beyond the ends of a signal, so that no envelope is extrapolated. */
#include <math.h>

#include "kernel.h"

#define N_MIRRORED 2

struct point {
    double t, y;
};

/* Extremum j of one kind, counted from one end, with its position measured from that end. */
static struct point from_end(const struct workspace *w, int kind, int64_t j, int right) {
    const struct envelope *e = &w->env[kind];
    int64_t at = LEAD + (right ? e->interior - 1 - j : j);
    struct point p = {right ? (double)(w->n - 1) - e->t[at] : e->t[at], e->y[at]};
    return p;
}

/* Extrema are mirrored at the first extremum if the edge sample lies between the first two extrema. Otherwise the edge
 * sample is itself an extremum, and they are mirrored there (Rilling et al. 2003). Fills mirrored[kind][0..1], nearest
 * first, with distances before the edge; count[kind] is their number. */
static void mirror_one_end(const struct workspace *w, int right, int pyemd, struct point mirrored[2][2], int count[2]) {
    int64_t n[2] = {w->env[MAXIMA].interior, w->env[MINIMA].interior};
    double edge = right ? w->h[w->n - 1] : w->h[0];
    int near = MAXIMA; /* kind of the extremum nearest to the edge */
    if (n[MAXIMA] == 0 || (n[MINIMA] > 0 && from_end(w, MINIMA, 0, right).t < from_end(w, MAXIMA, 0, right).t))
        near = MINIMA;
    int far = 1 - near;
    double sign = near == MAXIMA ? 1 : -1, mirror = 0;
    int64_t skip = 0; /* extrema of the near kind that are not mirrored */
    int edge_is_knot = 1;
    if (n[far] > 0 && sign * edge > sign * from_end(w, far, 0, right).y) {
        edge_is_knot = 0;
        mirror = from_end(w, near, 0, right).t;
        skip = 1;
        int64_t j = n[near] - 1 < N_MIRRORED ? n[near] - 1 : N_MIRRORED, k = n[far] < N_MIRRORED ? n[far] : N_MIRRORED;
        double reach = from_end(w, far, k - 1, right).t;
        if (j > 0) reach = fmin(reach, from_end(w, near, j, right).t);
        /* The mirrored knots would not reach the edge: mirror at the edge. PyEMD also mirrors there if the near kind
         * has a single extremum, which would be mirrored onto itself. */
        if (2 * mirror - reach > 0 || (pyemd && n[near] == 1)) {
            mirror = 0;
            skip = 0;
        }
    }
    count[near] = count[far] = 0;
    for (int64_t j = skip; j < n[near] && count[near] < N_MIRRORED; j++) {
        struct point p = from_end(w, near, j, right);
        mirrored[near][count[near]++] = (struct point){p.t - 2 * mirror, p.y};
    }
    if (edge_is_knot) mirrored[far][count[far]++] = (struct point){0, edge};
    for (int64_t j = 0; j < n[far] && count[far] < N_MIRRORED; j++) {
        struct point p = from_end(w, far, j, right);
        mirrored[far][count[far]++] = (struct point){p.t - 2 * mirror, p.y};
    }
}

/* Of two knots at the same position the later is kept. */
static void drop_repeated(struct envelope *e) {
    double *t = e->t + e->first, *y = e->y + e->first;
    int64_t kept = 0;
    for (int64_t j = 0; j < e->count; j++) {
        if (kept > 0 && t[j] == t[kept - 1]) kept--;
        t[kept] = t[j];
        y[kept++] = y[j];
    }
    e->count = kept;
}

/* Finds the interval of sample 0 and marks mirrored knots within the signal. Returns 0 if the knots are unusable. */
static int settle(struct workspace *w, struct envelope *e) {
    double last = (double)(w->n - 1);
    const double *t = e->t + e->first;
    int at_distance = 1; /* extrema of the signal are two samples apart; mirrored knots are checked */
    for (int64_t j = 1; j < e->count; j++) {
        if (j == 6 && e->count > 12) j = e->count - 6;
        if (t[j] - t[j - 1] < 2) at_distance = 0;
    }
    e->sparse = at_distance;
    if (!at_distance) {
        drop_repeated(e);
        for (int64_t j = 1; j < e->count; j++)
            if (!(t[j] > t[j - 1])) return 0;
    }
    if (e->count < 2 || t[0] > 0 || t[e->count - 1] < last) return 0;
    e->start = 0;
    while (e->start + 1 < e->count && t[e->start + 1] <= 0) e->start++;
    e->marks[0] &= (uint8_t)~1u; /* sample 0 is counted in start */
    for (int64_t j = e->start + 1; j < e->count && j < e->start + 4; j++)
        if (t[j] <= last) mark(e, (int64_t)ceil(t[j]));
    for (int64_t j = e->count - 1; j > e->start && j > e->count - 5; j--)
        if (t[j] <= last) mark(e, (int64_t)ceil(t[j]));
    return 1;
}

int add_mirrored_knots(struct workspace *w, enum rule rule) {
    struct point left[2][2], right[2][2];
    int n_left[2], n_right[2];
    mirror_one_end(w, 0, rule == RULE_PYEMD, left, n_left);
    mirror_one_end(w, 1, rule == RULE_PYEMD, right, n_right);
    double last = (double)(w->n - 1);
    for (int k = 0; k < 2; k++) {
        struct envelope *e = &w->env[k];
        for (int j = 0; j < n_left[k]; j++) {
            e->t[LEAD - 1 - j] = -left[k][j].t;
            e->y[LEAD - 1 - j] = left[k][j].y;
        }
        for (int j = 0; j < n_right[k]; j++) {
            e->t[LEAD + e->interior + j] = last + right[k][j].t;
            e->y[LEAD + e->interior + j] = right[k][j].y;
        }
        e->first = LEAD - n_left[k];
        e->count = n_left[k] + e->interior + n_right[k];
        if (!settle(w, e)) return 0;
    }
    return 1;
}

/* The upstream envelope has no mirrored knots: end points are extrema, and it is constant beyond its knots. */
void add_upstream_ends(struct workspace *w) {
    const double *h = w->h;
    int64_t last = w->n - 1;
    for (int k = 0; k < 2; k++) {
        struct envelope *e = &w->env[k];
        double sign = k == MAXIMA ? 1 : -1;
        e->first = LEAD;
        e->start = -1;
        e->sparse = 1; /* extrema of one kind are at least two samples apart under this rule */
        if (sign * h[last] > sign * h[last - 1]) {
            e->t[LEAD + e->interior] = (double)last;
            e->y[LEAD + e->interior++] = h[last];
            mark(e, last);
        }
        if (sign * h[0] > sign * h[1]) {
            e->t[--e->first] = 0;
            e->y[e->first] = h[0];
            e->start = 0;
            e->interior++;
        }
        e->count = e->interior;
    }
}
