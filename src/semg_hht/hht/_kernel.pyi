from typing_extensions import Buffer

def decompose(
    x: Buffer,
    rows: Buffer,
    n_imfs: Buffer,
    n_sifts: Buffer,
    n_signals: int,
    n_samples: int,
    rule: int,
    threshold: float,
    max_imfs: int,
    max_sifts: int,
    rule_sifts: int,
    /,
) -> None: ...
def next_modes(
    x: Buffer,
    rest: Buffer,
    counts: Buffer,
    modes: Buffer,
    smallest: Buffer,
    n_sifts: Buffer,
    n_rows: int,
    n_samples: int,
    rule: int,
    threshold: float,
    max_imfs: int,
    max_sifts: int,
    rule_sifts: int,
    /,
) -> None: ...
def ensemble_sum(
    base: Buffer,
    noise: Buffer,
    n_noise: int,
    starts: Buffer,
    scale: Buffer,
    out: Buffer,
    n_sifts: Buffer,
    n_trials: int,
    n_samples: int,
    want_mean: bool,
    rule: int,
    threshold: float,
    max_imfs: int,
    max_sifts: int,
    rule_sifts: int,
    /,
) -> None: ...
def first_mode(
    x: Buffer,
    out: Buffer,
    n_samples: int,
    rule: int,
    threshold: float,
    max_imfs: int,
    max_sifts: int,
    rule_sifts: int,
    /,
) -> tuple[int, int]: ...
def normals(out: Buffer, n: int, key: int, /) -> None: ...
def spectrum(
    imfs: Buffer,
    n_imfs: int,
    n_samples: int,
    rate_hz: float,
    low_hz: float,
    high_hz: float,
    grid: Buffer,
    radices: Buffer,
    n_radices: int,
    turns: Buffer,
    table: Buffer,
    /,
) -> float: ...
def filter(
    x: Buffer, sos: Buffer, state: Buffer, n_rows: int, n_samples: int, n_sections: int, backwards: bool, /
) -> None: ...
def builds() -> tuple[str, ...]: ...
def choose(name: str, /) -> None: ...
