/* Extrema of signals with equal neighbouring samples, such as quantised recordings. */
#include <math.h>
#include <string.h>

#include "kernel.h"

static void clear(struct workspace *w) {
    for (int k = 0; k < 2; k++) {
        w->env[k].interior = 0;
        memset(w->env[k].marks, 0, (size_t)(w->n >> 3) + 2);
    }
}

static void add(struct workspace *w, enum kind kind, double position, double value) {
    struct envelope *e = &w->env[kind];
    e->t[LEAD + e->interior] = position;
    e->y[LEAD + e->interior] = value;
    e->interior++;
    mark(e, (int64_t)ceil(position));
}

/* A plateau above or below both its neighbours counts once, at its midpoint. */
static void midpoints(struct workspace *w) {
    const double *h = w->h;
    int64_t start = 0; /* first sample of the current run of equal values */
    int before = 0;    /* sign of the step before it; 0 if it begins at the edge */
    for (int64_t i = 1; i < w->n; i++) {
        if (h[i] == h[i - 1]) continue;
        int after = h[i] > h[i - 1] ? 1 : -1;
        if (before * after < 0) add(w, before > 0 ? MAXIMA : MINIMA, (double)(start + i - 1) / 2, h[start]);
        before = after;
        start = i;
    }
}

/* PyEMD's extrema. The position of a plateau is its middle sample, rounded to the even one of two. A plateau that
 * begins at sample 1 or reaches the end is ignored. For one that begins at sample 0, the last step of the signal takes
 * the place of the step before the plateau. */
static void pyemd_extrema(struct workspace *w) {
    const double *h = w->h;
    int64_t n = w->n;
    for (int64_t i = 0; i < n - 1; i++) {
        if (h[i + 1] != h[i]) {
            if (i > 0 && h[i] > h[i - 1] && h[i] > h[i + 1]) add(w, MAXIMA, (double)i, h[i]);
            if (i > 0 && h[i] < h[i - 1] && h[i] < h[i + 1]) add(w, MINIMA, (double)i, h[i]);
            continue;
        }
        int64_t end = i + 1; /* last sample of the plateau */
        while (end < n - 1 && h[end + 1] == h[end]) end++;
        if (i != 1 && end < n - 1) {
            double before = i > 0 ? h[i] - h[i - 1] : h[n - 1] - h[n - 2];
            double after = h[end + 1] - h[end];
            int64_t middle = (int64_t)nearbyint((double)(i + end) / 2);
            if (before > 0 && after < 0) add(w, MAXIMA, (double)middle, h[middle]);
            if (before < 0 && after > 0) add(w, MINIMA, (double)middle, h[middle]);
        }
        i = end - 1;
    }
}

/* The upstream tool's extrema: a rise followed by a plateau or a fall, and the reverse. */
static void upstream_extrema(struct workspace *w) {
    const double *h = w->h;
    for (int64_t i = 1; i < w->n - 1; i++) {
        double before = h[i] - h[i - 1], after = h[i + 1] - h[i];
        if (before > 0 && after <= 0) add(w, MAXIMA, (double)i, h[i]);
        if (before < 0 && after >= 0) add(w, MINIMA, (double)i, h[i]);
    }
}

void find_extrema_in_runs(struct workspace *w, enum rule rule) {
    clear(w);
    if (rule == RULE_PYEMD) pyemd_extrema(w);
    else if (rule == RULE_UPSTREAM) upstream_extrema(w);
    else midpoints(w);
}
