/* Types that the builds for all instruction sets share. The kernel works on arrays only. */
#ifndef SEMG_HHT_KERNEL_H
#define SEMG_HHT_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#define LEAD 8    /* free slots before the first interior knot, for mirrored knots */
#define SLACK 24  /* free slots after the last interior knot, for mirrored knots and whole-vector loads */
#define N_BINS 256
#define TABLE_SIZE 176 /* numbers of fourier.table for eight elements: 7 turns (cosines, sines) and 8 factors of eight */
#define STEP_SIZE 20 /* numbers that splines.h keeps of one step of elimination */

enum rule { RULE_SD, RULE_EMD, RULE_RILLING, RULE_S_NUMBER, RULE_FIXED, RULE_PYEMD, RULE_UPSTREAM };
enum kind { MAXIMA, MINIMA };

/* What subtract_mean stores besides h. */
enum keep { NOTHING, MEAN, ENVELOPES };

/* Result of extract_mode. */
enum outcome { TREND, MODE };

struct settings {
    enum rule rule;
    double threshold;  /* of the rules that compare energies */
    int32_t max_imfs;
    int32_t max_sifts;
    int32_t n_sifts;   /* RULE_FIXED: sifts of every IMF; RULE_S_NUMBER: consecutive sifts that must agree */
};

/* One envelope: its knots and one cubic per interval between them. */
struct envelope {
    double *t, *y;             /* knot positions in samples, and values; all arrays lie workspace.apart doubles apart */
    double *c1, *c2, *c3;      /* y + c1 s + c2 s^2 + c3 s^3, s = samples since the interval's knot */
    uint8_t *marks;            /* bit i is set if an interval begins at sample i */
    int64_t first, count;      /* knots are [first, first + count) */
    int64_t interior;          /* number of these that are extrema of the signal; they begin at LEAD */
    int64_t start;             /* interval that contains sample 0 */
    int sparse;                /* knots are at least two samples apart, as the vector evaluation requires */
};

struct workspace {
    int64_t n;
    double *h;                 /* the proto-IMF, with eight zeros before and after it */
    double *mean, *amplitude;  /* of the two envelopes; subtract_mean stores them on request */
    struct envelope env[2];
    int64_t apart;             /* from each array of an envelope to its next: t, y, c1, c2, c3 */
    double *steps;             /* of the elimination of both splines: splines.h */
    void *memory;
};

/* A signal during its decomposition: rest is x less its modes so far. (Under PyEMD's rule it is x minus the sum of the
 * modes, with PyEMD's rounding.) */
struct stream {
    const double *x;
    double *rest, *sum; /* sum: of the modes, only for PyEMD's rule; NULL: x less the rest */
    double smallest;    /* a rest with a smaller range is rounding error */
    int32_t n_modes;
    int done;
};

/* A trial of an ensemble, base + scale * noise: its first mode is computed, or with want_mean its local mean. */
struct trial {
    const double *base, *noise;
    double scale;
    int want_mean;
};

/* Fourier transform of 8 m numbers that hilbert.h needs; its tables come from Python. */
struct fourier {
    int64_t m, n_radices;
    const int64_t *radices; /* 2, 3, 4 or 5; their product is m */
    const double *turns;    /* exp(-2 pi i k / m) */
    const double *table;    /* (m / 8 rounded up, 22, 8): turns exp(-2 pi i l k / 8 m), then factors */
};

struct spectrum_task {
    const double *imfs;        /* (n_imfs, n) */
    int64_t n_imfs, n;
    double rate_hz, low_hz, high_hz;
    double *grid;              /* (256, 256) [frequency, time], zeros */
    struct fourier fourier;
    double dropped;
};

/* A filter of second-order sections over every row of x, in place: sections.c */
#define MAX_SECTIONS 64
struct sections {
    const double *sos;         /* (n_sections, 6): b0 b1 b2 a0 a1 a2, with a0 = 1 */
    double *state;             /* (n_rows, n_sections, 2), updated */
    double *x;                 /* (n_rows, n) */
    int64_t n_sections, n_rows, n;
    int backwards;             /* from the last sample to the first */
};
void filter_sections(const struct sections *k);

struct kernel {
    const char *name;
    enum outcome (*extract_mode)(struct workspace *, const struct settings *, int32_t *n_sifts, int64_t *n_extrema);
    double (*smallest_of)(const double *x, int64_t n);
    int (*next_mode)(struct stream *, struct workspace *, const struct settings *, double *out, int32_t *n_sifts);
    void (*add_trial)(const struct trial *, struct workspace *, const struct settings *, double *out, int32_t *n_sifts);
    void (*normals)(double *out, int64_t n, uint64_t key);
    int (*spectrum)(struct spectrum_task *);
};

extern const struct kernel kernel_generic;
#if defined(__GNUC__) && defined(__x86_64__)
#define HAVE_X86_BUILDS 1
extern const struct kernel kernel_avx2;
extern const struct kernel kernel_avx512;
#endif

/* Extrema of signals with equal neighbouring samples: runs.c */
void find_extrema_in_runs(struct workspace *w, enum rule rule);
/* Knots beyond the ends: edges.c */
int add_mirrored_knots(struct workspace *w, enum rule rule);
void add_upstream_ends(struct workspace *w);

static inline void mark(struct envelope *e, int64_t sample) { e->marks[sample >> 3] |= (uint8_t)(1u << (sample & 7)); }

#endif
