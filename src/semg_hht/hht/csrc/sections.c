/* Second-order sections in transposed direct form II, one after another. The sums are in SciPy's order, so that results
 * are equal to those of scipy.signal.sosfilt. Each sample waits for the one before, so four signals are filtered
 * together. Compiled without instruction sets beyond the baseline: a fused multiplication would round differently. */
#include "kernel.h"

#define FOUR 4

#if defined(__GNUC__)
typedef double four __attribute__((vector_size(8 * FOUR), aligned(8)));
#endif

/* One signal in place; step is 1, or -1 with x at the last sample. state (n_sections, 2) is updated. */
static void filter_one(const double *sos, int64_t n_sections, double *state, double *x, int64_t n, int64_t step) {
    for (int64_t i = 0; i < n; i++, x += step) {
        double in = *x;
        for (int64_t s = 0; s < n_sections; s++) {
            const double *c = sos + 6 * s;
            double *z = state + 2 * s, out = c[0] * in + z[0];
            z[0] = c[1] * in - c[4] * out + z[1];
            z[1] = c[2] * in - c[5] * out;
            in = out;
        }
        *x = in;
    }
}

void filter_sections(const struct sections *k) {
    int64_t step = k->backwards ? -1 : 1, first = k->backwards ? k->n - 1 : 0, row = 0;
#if defined(__GNUC__)
    for (; row + FOUR <= k->n_rows; row += FOUR) {
        double *x = k->x + row * k->n + first;
        four z[MAX_SECTIONS][2];
        for (int64_t s = 0; s < k->n_sections; s++)
            for (int64_t j = 0; j < 2; j++)
                for (int64_t l = 0; l < FOUR; l++) z[s][j][l] = k->state[((row + l) * k->n_sections + s) * 2 + j];
        for (int64_t i = 0; i < k->n; i++, x += step) {
            four in = {x[0], x[k->n], x[2 * k->n], x[3 * k->n]};
            for (int64_t s = 0; s < k->n_sections; s++) {
                const double *c = k->sos + 6 * s;
                four out = c[0] * in + z[s][0];
                z[s][0] = c[1] * in - c[4] * out + z[s][1];
                z[s][1] = c[2] * in - c[5] * out;
                in = out;
            }
            for (int64_t l = 0; l < FOUR; l++) x[l * k->n] = in[l];
        }
        for (int64_t s = 0; s < k->n_sections; s++)
            for (int64_t j = 0; j < 2; j++)
                for (int64_t l = 0; l < FOUR; l++) k->state[((row + l) * k->n_sections + s) * 2 + j] = z[s][j][l];
    }
#endif
    for (; row < k->n_rows; row++)
        filter_one(k->sos, k->n_sections, k->state + row * k->n_sections * 2, k->x + row * k->n + first, k->n, step);
}
