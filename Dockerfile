# The web page (target page, the last one) and Jupyter (target jupyter), each with the whole command line.
#
#   docker build -t semg-hht .
#   docker run --rm -p 127.0.0.1:7860:7860 semg-hht
#   docker run --rm -v "$PWD:/data" semg-hht prepare recordings/manifest.csv --out prepared
#
# --build-arg VARIANT=cuda   torch as pip finds it: on x86 Linux with CUDA, which also runs without a GPU; several GB.
#                            A GPU wants the NVIDIA container toolkit on the host, and docker run --gpus all.
# --build-arg VARIANT=cpu    small. With --build-arg TORCH_INDEX=ADDRESS of the index of torch's CPU wheels (PyTorch's
#                            install page names it) it trains, too. Without, there is no torch in it: it prepares,
#                            segments, and answers from what "semg-hht export" wrote, mounted at /checkpoints.
# --build-arg UID=$(id -u)   so that files written into mounted folders are yours.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS wheel
# Debian keeps one version of a package: one that is pinned is gone with its next repair.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY pyproject.toml setup.py README.md LICENSE ./
COPY src ./src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim-bookworm AS base
ARG VARIANT=cuda
ARG TORCH_INDEX=""
ARG UID=1000
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
# Chinese names and captions in pictures need a font.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends fonts-wqy-microhei \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid "$UID" semg \
    && install --directory --owner=semg /data /checkpoints /home/semg/data /home/semg/checkpoints
# A layer of its own: a change of the code must not fetch torch again.
RUN case "$VARIANT" in \
      cuda) pip install "torch>=2.6,<2.14" ;; \
      cpu) [ -z "$TORCH_INDEX" ] || pip install --index-url "$TORCH_INDEX" "torch>=2.6,<2.14" ;; \
      *) echo "VARIANT must be cpu or cuda; got $VARIANT" >&2; exit 1 ;; \
    esac

FROM base AS jupyter
COPY --from=wheel /wheels /wheels
RUN pip show --quiet torch || { echo "Jupyter trains: VARIANT=cpu needs TORCH_INDEX (see the head of the Dockerfile)" >&2; exit 1; } \
    && pip install "$(echo /wheels/*.whl)[train,readers,export,notebook]"
USER semg
WORKDIR /home/semg
COPY --chown=semg semg_hht_cnn_classifier.ipynb ./
# The notebook looks for ./data and ./checkpoints.
VOLUME ["/home/semg/data", "/home/semg/checkpoints"]
EXPOSE 8888
# Prints an address with a token, without which nobody gets in.
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser"]

FROM base AS page
COPY --from=wheel /wheels /wheels
RUN extras="app,readers,onnx" \
    && if pip show --quiet torch; then extras="$extras,train,export"; fi \
    && pip install "$(echo /wheels/*.whl)[$extras]"
USER semg
WORKDIR /data
VOLUME ["/data", "/checkpoints"]
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860/', timeout=4)"]
ENTRYPOINT ["semg-hht"]
CMD ["app", "--host", "0.0.0.0", "--port", "7860"]
