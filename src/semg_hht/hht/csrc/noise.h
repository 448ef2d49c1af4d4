/* Counter-based Gaussian noise: sample i of a stream depends only on its key and i, so neither the order of the trials
 * nor the number of threads can change it. Bits: SplitMix64 (Steele, Lea, Flood 2014, doi
 * 10.1145/2660193.2660195). Quantiles: Wichura 1988, algorithm AS 241, doi 10.2307/2347330. */

#define TAIL 320 /* capacity for numbers in the tails: a block of 256 and whole vectors */

/* Natural logarithm of normal numbers in (0, 1), to a few units in the last place: m 2^e with m in (sqrt(1/2), sqrt(2)),
 * log m = 2 artanh((m - 1) / (m + 1)). */
static void ISA(logarithms)(int64_t n, const double *restrict x, double *restrict out) {
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        uint64_t shifted = bits - 0x3FE6A09E667F3BCDu; /* relative to sqrt(1/2): exponent e in the upper bits */
        int64_t e = (int64_t)shifted >> 52;
        bits -= (uint64_t)e << 52;
        double m, exponent;
        memcpy(&m, &bits, sizeof m);
        uint64_t whole = 0x4338000000000000u + (uint64_t)e; /* 3 * 2^51 + e, without a conversion */
        memcpy(&exponent, &whole, sizeof exponent);
        exponent -= 6755399441055744.0;
        double s = (m - 1) / (m + 1), z = s * s;
        double p = (((((((1.0 / 19 * z + 1.0 / 17) * z + 1.0 / 15) * z + 1.0 / 13) * z + 1.0 / 11) * z + 1.0 / 9) * z +
                     1.0 / 7) * z + 1.0 / 5) * z + 1.0 / 3;
        out[i] = 2 * s + (2 * s * (z * p) + exponent * 0.69314718055994531);
    }
}

/* Quantiles where 0.425 < |q| < 0.5. */
static void ISA(tail_quantiles)(int64_t n, const double *restrict q, double *restrict out) {
    double from_edge[TAIL], logarithm[TAIL];
    for (int64_t i = 0; i < n; i++) from_edge[i] = 0.5 - fabs(q[i]);
    ISA(logarithms)(n, from_edge, logarithm);
    for (int64_t i = 0; i < n; i++) {
        double r = sqrt(-logarithm[i]) - 1.6;
        double p = ((((((7.74545014278341407640e-4 * r + 2.27238449892691845833e-2) * r + 2.41780725177450611770e-1) * r +
                       1.27045825245236838258e0) * r + 3.64784832476320460504e0) * r + 5.76949722146069140550e0) * r +
                    4.63033784615654529590e0) * r + 1.42343711074968357734e0;
        double d = ((((((1.05075007164441684324e-9 * r + 5.47593808499534494600e-4) * r + 1.51986665636164571966e-2) * r +
                       1.48103976427480074590e-1) * r + 6.89767334985100004550e-1) * r + 1.67638483018380384940e0) * r +
                    2.05319162663775882187e0) * r + 1.0;
        out[i] = copysign(p / d, q[i]);
    }
    int far = 0; /* one number in 36 billion */
    for (int64_t i = 0; i < n; i++) far |= logarithm[i] < -25;
    for (int64_t i = 0; far && i < n; i++) {
        double r = sqrt(-logarithm[i]) - 5;
        if (r <= 0) continue;
        double p = ((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 1.24266094738807843860e-3) * r +
                       2.65321895265761230930e-2) * r + 2.96560571828504891230e-1) * r + 1.78482653991729133580e0) * r +
                    5.46378491116411436990e0) * r + 6.65790464350110377720e0;
        double d = ((((((2.04426310338993978564e-15 * r + 1.42151175831644588870e-7) * r + 1.84631831751005468180e-5) * r +
                       7.86869131145613259100e-4) * r + 1.48753612908506148525e-2) * r + 1.36929880922735805310e-1) * r +
                    5.99832206555887937690e-1) * r + 1.0;
        out[i] = copysign(p / d, q[i]);
    }
}

static void ISA(normals)(double *restrict out, int64_t n, uint64_t key) {
    /* Centred uniforms: 52 bits, never +-0.5. */
    for (int64_t i = 0; i < n; i++) {
        uint64_t z = key + (uint64_t)(i + 1) * 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        z ^= z >> 31;
        z = (z >> 12) | 0x3FF0000000000000u;
        double u;
        memcpy(&u, &z, sizeof u);
        out[i] = u - 1.5 + 0x1p-53;
    }
    for (int64_t start = 0; start < n; start += 256) {
        int64_t count = n - start < 256 ? n - start : 256;
        double value[256], tail[TAIL], quantile[TAIL];
        double place[TAIL];
        int64_t n_tail = 0, next = 0;
        double *restrict q = out + start;
        for (int64_t i = 0; i < count; i++) {
            double r = 0.180625 - q[i] * q[i];
            double p = ((((((2.5090809287301226727e+3 * r + 3.3430575583588128105e+4) * r + 6.7265770927008700853e+4) * r +
                           4.5921953931549871457e+4) * r + 1.3731693765509461125e+4) * r + 1.9715909503065514427e+3) * r +
                        1.3314166789178437745e+2) * r + 3.3871328727963666080e0;
            double d = ((((((5.2264952788528545610e+3 * r + 2.8729085735721942674e+4) * r + 3.9307895800092710610e+4) * r +
                           2.1213794301586595867e+4) * r + 5.3941960214247511077e+3) * r + 6.8718700749205790830e+2) * r +
                        4.2313330701600911252e+1) * r + 1.0;
            value[i] = q[i] * p / d;
        }
#if LANES > 1
        for (vector position = first_positions(); next + LANES <= count; next += LANES, position = advance(position)) {
            vector v = load(q + next), edge = spread(0.425);
            unsigned outside = above(v, edge) | above(minus(zeros(), v), edge);
            store(tail + n_tail, choose(v, front(outside)));
            store(place + n_tail, choose(position, front(outside)));
            n_tail += __builtin_popcount(outside);
        }
#endif
        for (; next < count; next++) {
            tail[n_tail] = q[next];
            place[n_tail] = (double)next;
            n_tail += fabs(q[next]) > 0.425;
        }
        memcpy(q, value, sizeof(double) * (size_t)count);
        ISA(tail_quantiles)(n_tail, tail, quantile);
        for (int64_t i = 0; i < n_tail; i++) q[(int64_t)place[i]] = quantile[i];
    }
}
