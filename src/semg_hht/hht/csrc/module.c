/* The Python module: it takes buffers, works without the GIL and allocates no arrays. Stable ABI of Python 3.11. */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

static const struct kernel *kernels[3];
static int n_kernels;
static const struct kernel *kernel;

static void find_kernels(void) {
    kernels[n_kernels++] = &kernel_generic;
#ifdef HAVE_X86_BUILDS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
        kernels[n_kernels++] = &kernel_avx2;
    if (n_kernels == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        kernels[n_kernels++] = &kernel_avx512;
#endif
    kernel = kernels[n_kernels - 1];
}

/* ---- workspace --------------------------------------------------------------------------------------------- */

static int open_workspace(struct workspace *w, int64_t n) {
    /* Arrays begin nine cache lines apart modulo a page; at equal offsets they would share a few cache sets. */
    size_t signal = ((size_t)n + 32 + 511) / 512 * 512 + 72, marks = (size_t)n / 8 + 16, arrays = 5; /* per kind */
    size_t knots = ((size_t)n / 2 + LEAD + SLACK + 511) / 512 * 512 + 72;
    size_t steps = ((size_t)n / 4 + 16) * STEP_SIZE;
    double *at = malloc(sizeof(double) * (3 * signal + 2 * arrays * knots + steps + (2 * marks) / sizeof(double) + 10));
    w->memory = at;
    if (!at) return -1;
    at += (64 - ((uintptr_t)at & 63)) / sizeof(double); /* a cache line */
    w->n = n;
    w->apart = (int64_t)knots;
    w->h = at + 8;
    w->mean = (at += signal);
    w->amplitude = (at += signal);
    at += signal;
    for (int k = 0; k < 2; k++) {
        struct envelope *e = &w->env[k];
        double **slots[5] = {&e->t, &e->y, &e->c1, &e->c2, &e->c3};
        for (size_t i = 0; i < arrays; i++, at += knots) *slots[i] = at;
    }
    w->steps = at;
    at += steps;
    w->env[0].marks = (uint8_t *)at;
    w->env[1].marks = (uint8_t *)at + marks;
    for (int i = 1; i <= 8; i++) w->h[-i] = w->h[n + i - 1] = 0;
    return 0;
}

/* ---- arguments ----------------------------------------------------------------------------------------------- */

#define MAX_BUFFERS 6
struct buffers {
    Py_buffer view[MAX_BUFFERS];
    int count;
};

static void release(struct buffers *b) {
    while (b->count > 0) PyBuffer_Release(&b->view[--b->count]);
}

/* Data of a contiguous buffer of at least n items, or NULL with a Python error set. */
static void *items(struct buffers *b, PyObject *object, int64_t n, size_t size, int writable) {
    Py_buffer *view = &b->view[b->count];
    if (PyObject_GetBuffer(object, view, writable ? PyBUF_CONTIG : PyBUF_CONTIG_RO) < 0) return NULL;
    b->count++;
    if (n < 0 || (uint64_t)view->len / size < (uint64_t)n) {
        PyErr_SetString(PyExc_ValueError, "a buffer is shorter than its stated shape");
        return NULL;
    }
    return view->buf;
}

static int check_settings(const struct settings *s, int64_t n_signals, int64_t n) {
    if (n < 8 || n_signals < 0 || s->rule < RULE_SD || s->rule > RULE_UPSTREAM || s->max_imfs < 0 ||
        n_signals > INT64_MAX / 64 / n / (s->max_imfs + 1)) {
        PyErr_SetString(PyExc_ValueError, "settings or shape out of range");
        return -1;
    }
    return 0;
}

/* ---- functions of the module ----------------------------------------------------------------------------------- */

/* decompose(x, rows, n_imfs, n_sifts, n_signals, n_samples, rule, threshold, max_imfs, max_sifts, rule_sifts): x
 * (n_signals, n_samples) -> rows (n_signals, max_imfs + 1, n_samples), the residue in row n_imfs[signal]. */
static PyObject *decompose(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *x_object, *rows_object, *imfs_object, *sifts_object;
    long long n_signals, n;
    int rule;
    struct settings set;
    if (!PyArg_ParseTuple(args, "OOOOLLidiii", &x_object, &rows_object, &imfs_object, &sifts_object, &n_signals, &n,
                          &rule, &set.threshold, &set.max_imfs, &set.max_sifts, &set.n_sifts))
        return NULL;
    set.rule = (enum rule)rule;
    if (check_settings(&set, n_signals, n) < 0) return NULL;
    struct buffers b = {.count = 0};
    int64_t per_signal = set.max_imfs + 1;
    const double *x = items(&b, x_object, n_signals * n, sizeof(double), 0);
    double *rows = x ? items(&b, rows_object, n_signals * per_signal * n, sizeof(double), 1) : NULL;
    int32_t *n_imfs = rows ? items(&b, imfs_object, n_signals, sizeof(int32_t), 1) : NULL;
    int32_t *n_sifts = n_imfs ? items(&b, sifts_object, n_signals * per_signal, sizeof(int32_t), 1) : NULL;
    int failed = 0;
    if (n_sifts) {
        Py_BEGIN_ALLOW_THREADS
        struct workspace w;
        double *sum = set.rule == RULE_PYEMD ? malloc(sizeof(double) * (size_t)n) : NULL;
        double *rest = malloc(sizeof(double) * (size_t)n);
        failed = open_workspace(&w, n) < 0 || !rest || (set.rule == RULE_PYEMD && !sum);
        for (int64_t i = 0; i < n_signals && !failed; i++) {
            double *row = rows + i * per_signal * n;
            struct stream s = {.x = x + i * n, .rest = rest, .sum = sum, .smallest = kernel->smallest_of(x + i * n, n)};
            memcpy(rest, s.x, sizeof(double) * (size_t)n);
            if (sum) memset(sum, 0, sizeof(double) * (size_t)n);
            while (kernel->next_mode(&s, &w, &set, row, n_sifts + i * per_signal + s.n_modes)) row += n;
            memcpy(row, rest, sizeof(double) * (size_t)n);
            n_imfs[i] = (int32_t)((row - rows - i * per_signal * n) / n);
        }
        free(w.memory);
        free(rest);
        free(sum);
        Py_END_ALLOW_THREADS
    }
    release(&b);
    if (failed) return PyErr_NoMemory();
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

/* next_modes(x, rest, counts, modes, smallest, n_sifts, n_rows, n_samples, settings...): the next mode of each row.
 * counts (n_rows) holds the number of modes so far, or -1 once there are no more; modes is zero for rows without one.
 * smallest (n_rows), the range below which a rest is rounding error, is filled at the first level. */
static PyObject *next_modes(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *x_object, *rest_object, *counts_object, *modes_object, *smallest_object, *sifts_object;
    long long n_rows, n;
    int rule;
    struct settings set;
    if (!PyArg_ParseTuple(args, "OOOOOOLLidiii", &x_object, &rest_object, &counts_object, &modes_object,
                          &smallest_object, &sifts_object, &n_rows, &n, &rule, &set.threshold, &set.max_imfs, &set.max_sifts, &set.n_sifts))
        return NULL;
    set.rule = (enum rule)rule;
    if (check_settings(&set, n_rows, n) < 0) return NULL;
    struct buffers b = {.count = 0};
    const double *x = items(&b, x_object, n_rows * n, sizeof(double), 0);
    double *rest = x ? items(&b, rest_object, n_rows * n, sizeof(double), 1) : NULL;
    int32_t *counts = rest ? items(&b, counts_object, n_rows, sizeof(int32_t), 1) : NULL;
    double *modes = counts ? items(&b, modes_object, n_rows * n, sizeof(double), 1) : NULL;
    double *smallest = modes ? items(&b, smallest_object, n_rows, sizeof(double), 1) : NULL;
    int32_t *n_sifts = smallest ? items(&b, sifts_object, n_rows, sizeof(int32_t), 1) : NULL;
    int failed = 0;
    if (n_sifts) {
        Py_BEGIN_ALLOW_THREADS
        struct workspace w;
        failed = open_workspace(&w, n) < 0;
        for (int64_t i = 0; i < n_rows && !failed; i++) {
            struct stream s = {.x = x + i * n, .rest = rest + i * n};
            s.done = counts[i] < 0;
            s.n_modes = s.done ? 0 : counts[i];
            if (s.n_modes == 0 && !s.done) smallest[i] = kernel->smallest_of(s.x, n);
            s.smallest = smallest[i];
            double *mode = modes + i * n;
            if (!kernel->next_mode(&s, &w, &set, mode, &n_sifts[i])) memset(mode, 0, sizeof(double) * (size_t)n);
            counts[i] = s.done ? -1 : s.n_modes;
        }
        free(w.memory);
        Py_END_ALLOW_THREADS
    }
    release(&b);
    if (failed) return PyErr_NoMemory();
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

/* ensemble_sum(base, noise, n_noise, starts, scale, out, n_sifts, n_trials, n_samples, want_mean, settings...): adds to
 * out, over all trials, the first mode of base + scale * noise, or with want_mean the trial less its first mode. The
 * noise of a trial begins at its start in the n_noise numbers. A trial without a mode is added as a whole. */
static PyObject *ensemble_sum(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *base_object, *noise_object, *starts_object, *scale_object, *out_object, *sifts_object;
    long long n_noise, n_trials, n;
    int rule, want_mean;
    struct settings set;
    if (!PyArg_ParseTuple(args, "OOLOOOOLLpidiii", &base_object, &noise_object, &n_noise, &starts_object, &scale_object,
                          &out_object, &sifts_object, &n_trials, &n, &want_mean, &rule, &set.threshold, &set.max_imfs, &set.max_sifts, &set.n_sifts))
        return NULL;
    set.rule = (enum rule)rule;
    set.max_imfs = 1;
    if (check_settings(&set, n_trials, n) < 0) return NULL;
    struct buffers b = {.count = 0};
    const double *base = items(&b, base_object, n, sizeof(double), 0);
    const double *noise = base ? items(&b, noise_object, n_noise, sizeof(double), 0) : NULL;
    const int64_t *starts = noise ? items(&b, starts_object, n_trials, sizeof(int64_t), 0) : NULL;
    const double *scale = starts ? items(&b, scale_object, n_trials, sizeof(double), 0) : NULL;
    double *out = scale ? items(&b, out_object, n, sizeof(double), 1) : NULL;
    int32_t *n_sifts = out ? items(&b, sifts_object, n_trials, sizeof(int32_t), 1) : NULL;
    int failed = 0;
    if (n_sifts) {
        Py_BEGIN_ALLOW_THREADS
        struct workspace w;
        failed = open_workspace(&w, n) < 0;
        for (int64_t i = 0; i < n_trials && !failed; i++) {
            if (starts[i] < 0 || starts[i] > n_noise - n) {
                failed = -1;
                break;
            }
            const struct trial trial = {base, noise + starts[i], scale[i], want_mean};
            kernel->add_trial(&trial, &w, &set, out, &n_sifts[i]);
        }
        free(w.memory);
        Py_END_ALLOW_THREADS
    }
    release(&b);
    if (failed > 0) return PyErr_NoMemory();
    if (failed < 0) PyErr_SetString(PyExc_ValueError, "a trial's noise begins or ends outside the noise");
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

/* first_mode(x, out, n, settings...) -> (has a mode, last number of extrema): out is the first mode of x, if any. */
static PyObject *first_mode(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *x_object, *out_object;
    long long n;
    int rule;
    struct settings set;
    if (!PyArg_ParseTuple(args, "OOLidiii", &x_object, &out_object, &n, &rule, &set.threshold, &set.max_imfs,
                          &set.max_sifts, &set.n_sifts))
        return NULL;
    set.rule = (enum rule)rule;
    if (check_settings(&set, 1, n) < 0) return NULL;
    struct buffers b = {.count = 0};
    const double *x = items(&b, x_object, n, sizeof(double), 0);
    double *out = x ? items(&b, out_object, n, sizeof(double), 1) : NULL;
    int failed = 0;
    enum outcome outcome = TREND;
    int64_t n_extrema = 0;
    if (out) {
        Py_BEGIN_ALLOW_THREADS
        struct workspace w;
        int32_t n_sifts;
        failed = open_workspace(&w, n) < 0;
        if (!failed) {
            memcpy(w.h, x, sizeof(double) * (size_t)n);
            outcome = kernel->extract_mode(&w, &set, &n_sifts, &n_extrema);
            memcpy(out, w.h, sizeof(double) * (size_t)n);
        }
        free(w.memory);
        Py_END_ALLOW_THREADS
    }
    release(&b);
    if (!out) return NULL;
    return failed ? PyErr_NoMemory() : Py_BuildValue("iL", outcome == MODE, (long long)n_extrema);
}

/* normals(out, n, key): fills out with a stream of standard normal numbers. */
static PyObject *normals(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *object;
    long long n;
    unsigned long long key;
    if (!PyArg_ParseTuple(args, "OLK", &object, &n, &key)) return NULL;
    struct buffers b = {.count = 0};
    double *out = items(&b, object, n, sizeof(double), 1);
    if (out) {
        Py_BEGIN_ALLOW_THREADS
        kernel->normals(out, n, key);
        Py_END_ALLOW_THREADS
    }
    release(&b);
    if (!out) return NULL;
    Py_RETURN_NONE;
}

/* spectrum(imfs, n_imfs, n, rate_hz, low_hz, high_hz, grid, radices, n_radices, turns, table) -> dropped share. The
 * transform has 8 m samples, m the product of the radices: n, or at least 2 n - 1 with zeros after the n samples. */
static PyObject *spectrum(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *imfs, *grid, *radices, *turns, *table;
    long long n_imfs, n, n_radices;
    struct spectrum_task k = {.dropped = 0};
    if (!PyArg_ParseTuple(args, "OLLdddOOLOO", &imfs, &n_imfs, &n, &k.rate_hz, &k.low_hz, &k.high_hz, &grid, &radices,
                          &n_radices, &turns, &table))
        return NULL;
    if (n < 2 || n_imfs < 0 || n_imfs > INT64_MAX / 64 / n) {
        PyErr_SetString(PyExc_ValueError, "shape out of range");
        return NULL;
    }
    k.n_imfs = n_imfs;
    k.n = n;
    struct fourier *f = &k.fourier;
    struct buffers b = {.count = 0};
    int failed = 0, ok = (k.imfs = items(&b, imfs, n_imfs * n, sizeof(double), 0)) &&
                         (k.grid = items(&b, grid, N_BINS * N_BINS, sizeof(double), 1)) &&
                         (f->radices = items(&b, radices, n_radices, sizeof(int64_t), 0));
    f->m = 1;
    f->n_radices = n_radices;
    for (int64_t i = 0; ok && i < n_radices; i++) {
        int64_t r = f->radices[i];
        ok = r >= 2 && r <= 5 && f->m <= INT64_MAX / 4096 / r;
        f->m *= ok ? r : 1;
    }
    if (ok && 8 * f->m != n && 8 * f->m < 2 * n - 1) ok = 0;
    if (!ok && !PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "radices out of range");
    ok = ok && (f->turns = items(&b, turns, 2 * f->m, sizeof(double), 0)) &&
         (f->table = items(&b, table, (f->m + 7) / 8 * TABLE_SIZE, sizeof(double), 0));
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        failed = kernel->spectrum(&k) < 0;
        Py_END_ALLOW_THREADS
    }
    release(&b);
    if (!ok) return NULL;
    return failed ? PyErr_NoMemory() : PyFloat_FromDouble(k.dropped);
}

/* filter(x, sos, state, n_rows, n_samples, n_sections, backwards): filters each row of x (n_rows, n_samples) in place. */
static PyObject *filter(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *x, *sos, *state;
    long long n_rows, n, n_sections;
    struct sections k;
    if (!PyArg_ParseTuple(args, "OOOLLLp", &x, &sos, &state, &n_rows, &n, &n_sections, &k.backwards)) return NULL;
    if (n < 1 || n_rows < 0 || n_sections < 1 || n_sections > MAX_SECTIONS || n_rows > INT64_MAX / 64 / MAX_SECTIONS / n) {
        PyErr_SetString(PyExc_ValueError, "shape out of range");
        return NULL;
    }
    k.n_rows = n_rows;
    k.n = n;
    k.n_sections = n_sections;
    struct buffers b = {.count = 0};
    int ok = (k.x = items(&b, x, n_rows * n, sizeof(double), 1)) &&
             (k.sos = items(&b, sos, n_sections * 6, sizeof(double), 0)) &&
             (k.state = items(&b, state, n_rows * n_sections * 2, sizeof(double), 1));
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        filter_sections(&k);
        Py_END_ALLOW_THREADS
    }
    release(&b);
    if (!ok) return NULL;
    Py_RETURN_NONE;
}

/* builds() -> names of the builds that this processor can run, slowest first; choose(name) selects one. */
static PyObject *builds(PyObject *self, PyObject *args) {
    (void)self;
    (void)args;
    PyObject *names = PyTuple_New(n_kernels);
    for (int i = 0; names && i < n_kernels; i++) PyTuple_SetItem(names, i, PyUnicode_FromString(kernels[i]->name));
    return names;
}

static PyObject *choose_build(PyObject *self, PyObject *args) {
    (void)self;
    const char *name;
    if (!PyArg_ParseTuple(args, "s", &name)) return NULL;
    for (int i = 0; i < n_kernels; i++)
        if (strcmp(kernels[i]->name, name) == 0) {
            kernel = kernels[i];
            Py_RETURN_NONE;
        }
    return PyErr_Format(PyExc_ValueError, "no build %s for this processor", name);
}

static PyMethodDef methods[] = {{"decompose", decompose, METH_VARARGS, NULL},
                                {"next_modes", next_modes, METH_VARARGS, NULL},
                                {"ensemble_sum", ensemble_sum, METH_VARARGS, NULL},
                                {"first_mode", first_mode, METH_VARARGS, NULL},
                                {"normals", normals, METH_VARARGS, NULL},
                                {"spectrum", spectrum, METH_VARARGS, NULL},
                                {"filter", filter, METH_VARARGS, NULL},
                                {"builds", builds, METH_NOARGS, NULL},
                                {"choose", choose_build, METH_VARARGS, NULL},
                                {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "_kernel", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit__kernel(void) {
    if (n_kernels == 0) find_kernels();
    return PyModule_Create(&module);
}
