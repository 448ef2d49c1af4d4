# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # sEMG-HHT: action quality and recorded gender / 动作质量与记录性别
#
# Surface EMG of exercise repetitions, as 256x256 Hilbert-Huang matrices, in; two answers per repetition out:
# **full, half or invalid** by a 7-layer CNN, and the **recorded gender** by an RBF SVM on the trained CNN's features.
# The notebook holds no model of its own: everything is the package `semg_hht`.
#
# 输入：训练动作每次重复的表面肌电，以 256x256 希尔伯特-黄矩阵表示。输出两个答案：7 层 CNN 判断动作**完整（full）、半程（half）还是无效（invalid）**，
# RBF SVM 用训练好的 CNN 特征判断**记录的性别**。本笔记本不自带模型，一切来自软件包 `semg_hht`。
#
# **On Kaggle**: upload this notebook; *Add Input*: the dataset HILBERTMATRIX_NPZ (or any dataset with such `.npz` files),
# and one that holds this project (see the first cell); *Settings, Accelerator*: GPU T4; *Run All*.
# **Elsewhere**: run it in a clone; it takes `./data`, or without that simulated people. Without a GPU a small network
# is trained for a few minutes.
#
# **在 Kaggle 上**：上传本笔记本；*Add Input* 添加数据集 HILBERTMATRIX_NPZ（或任何含此类 `.npz` 的数据集），以及含有本项目的数据集（见第一个单元）；
# *Settings, Accelerator* 选 GPU T4；*Run All*。**在别处**：在克隆的仓库里运行，读取 `./data`；没有则用模拟的人。没有 GPU 时训练小网络，只需几分钟。

# %% [markdown]
# ## 0. The package / 软件包
#
# Nothing happens where `semg_hht` is installed. On Kaggle, attach a dataset made of one of these:
# with internet off, a folder of wheels, made in a clone on Linux by
# `pip wheel --no-deps --wheel-dir wheels . skops prettytable wcwidth lightning-fabric lightning-utilities`
# (Kaggle has the rest); with internet on, a copy of this repository is enough. `SOURCE` may name anything else that pip
# installs.
#
# 已安装 `semg_hht` 时这里什么也不做。在 Kaggle 上请附加一个数据集，内容为下面之一：不联网时，附加一个 wheel 文件夹，在 Linux 上的克隆仓库中用上面的命令生成
# （其余依赖 Kaggle 已有）；联网时，附加本仓库的副本即可。`SOURCE` 也可以写 pip 能安装的任何来源。

# %%
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

KAGGLE = Path(os.environ.get("SEMG_HHT_KAGGLE", "/kaggle"))
SOURCE = os.environ.get("SEMG_HHT_SOURCE", "")

if importlib.util.find_spec("semg_hht") is None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    wheels = sorted((KAGGLE / "input").rglob("semg_hht-*.whl"))
    projects = [Path("pyproject.toml"), *sorted((KAGGLE / "input").rglob("pyproject.toml"))]
    clones = [path.parent for path in projects if path.is_file() and 'name = "semg-hht"' in path.read_text("utf-8")]
    if SOURCE:
        subprocess.check_call([*pip, SOURCE])
    elif wheels:
        subprocess.check_call([*pip, "--no-index", "--find-links", str(wheels[-1].parent), "semg-hht[train]"])
    elif clones:
        copy = shutil.copytree(clones[0], "/tmp/semg-hht", dirs_exist_ok=True)  # attached folders can't be written into
        subprocess.check_call([*pip, f"{copy}[train]"])
    else:
        raise SystemExit("semg_hht is not installed: attach its wheels or its repository, or set SOURCE (see above)")

# %% [markdown]
# ## Settings / 设置
#
# Sensible by themselves: the full network on a GPU, a small one on a CPU. A run that was interrupted goes on when the
# notebook is run again; `BEGIN_ANEW` gives it up, which you need after changing data or settings.
# `LANG = "zh"` draws the pictures in Chinese, where the system has a font for it.
#
# 默认值可直接使用：有 GPU 用完整网络，只有 CPU 用小网络。中断后重新运行笔记本会接着训练；改了数据或设置后，用 `BEGIN_ANEW = True` 重新开始。
# `LANG = "zh"` 让图中的文字为中文（系统需有中文字体；Kaggle 联网时可运行 `!apt-get install -y fonts-wqy-microhei`）。

# %% tags=["parameters"]
import torch

GPU = torch.cuda.is_available()
EPOCHS = 100 if GPU else 15
BASE_CHANNELS = 64 if GPU else 8
LEARNING_RATE = 1e-4 if GPU else 1e-3
TEST_SIZE = 0.2  # share of people held out for the final score / 留作最终评分的人所占比例
N_SIMULATED = 96  # matrices, where no data is found / 找不到数据时模拟的矩阵数
BEGIN_ANEW = False
LANG = "en"

# %% [markdown]
# ## 1. Data loading / 数据加载
#
# File names tell the labels, `BICEPS_fatiguetest_M_006.npz`, or a `manifest.csv` does. Files called `Test*` are unlabelled:
# they are predicted in section 6.
#
# 标签来自文件名，如 `BICEPS_fatiguetest_M_006.npz`，或来自 `manifest.csv`。以 `Test` 开头的文件没有标签，在第 6 节预测。

# %%
from IPython.display import Image, display

from semg_hht import notebook
from semg_hht.cli import console
from semg_hht.datasets.simulated import write_samples
from semg_hht.learning.dataset import load_folder

console.listen()
folders = notebook.find_folders(kaggle=KAGGLE)
if folders.source == "simulated" and not folders.data.is_dir():
    write_samples(folders.data, N_SIMULATED, 6, seed=42, track=notebook.track)
if notebook.bring_back(folders):
    print(f"the run of an earlier session goes on: {folders.earlier}")
dataset = load_folder(folders.data, track=notebook.track)
console.list_failures(dataset.failures)
print(f"\n{folders.source} data: {len(dataset)} matrices in {folders.data}; the run goes to {folders.checkpoints}")
for task, names in dataset.classes().items():
    print(f"  {task}: " + ", ".join(f"{name} {dataset.labels(task).count(name)}" for name in names))
print(f"  without labels: {sum(not (row.movement or row.gender) for row in dataset.rows)}")

# %% [markdown]
# A matrix of each class, frequency over time. With axes only where the file tells them.
#
# 每一类的一个矩阵：频率随时间的变化。文件中有坐标轴数据时才标出 Hz 和秒。

# %%
from semg_hht.figures.plots import draw_confusion, draw_history, draw_matrices

pictures = folders.checkpoints.parent / "pictures"
pictures.mkdir(exist_ok=True)
draw_matrices(notebook.one_of_each(folders.data, dataset), pictures / "matrices.png", lang=LANG)
display(Image(pictures / "matrices.png", width=900))

# %% [markdown]
# ## 2. Feature extraction: the CNN is trained / 特征提取：训练 CNN
#
# Seven layers, each halving the map and most doubling the channels, then global average pooling: one feature vector a
# matrix (2048 numbers at 64 base channels). Some people are held out for the final score, others pick the best epoch. Nobody
# stands on two sides where names or a manifest tell people apart.
#
# 七层卷积，每层把图缩小一半，多数层把通道加倍，最后全局平均池化：每个矩阵得到一个特征向量（基础通道为 64 时有 2048 个数）。
# 一部分人留作最终评分，另一部分人用来挑选最佳轮次。只要文件名或 manifest 能区分人，同一个人不会出现在两边。

# %%
from semg_hht.learning.epochs import TrainingConfig
from semg_hht.learning.train import train

config = TrainingConfig(epochs=EPOCHS, learning_rate=LEARNING_RATE, test_size=TEST_SIZE)
with notebook.TrainingBar() as bar:
    result = train(
        dataset, folders.checkpoints, config, base_channels=BASE_CHANNELS,
        resume=not BEGIN_ANEW, overwrite=BEGIN_ANEW, **bar.callbacks(),
    )  # fmt: skip
print(f"best epoch {result.best_epoch} of {len(result.history)}; people are told apart by {result.split_by}")

# %%
draw_history(result.history, result.best_epoch, pictures / "history.png", lang=LANG)
display(Image(pictures / "history.png", width=900))

# %% [markdown]
# ## 3. Normalisation / 标准化
#
# The SVM sees each feature with mean 0 and variance 1 over the people it was fitted on (StandardScaler).
#
# SVM 看到的每个特征，在其训练人群上均值为 0、方差为 1（StandardScaler）。

# %%
from semg_hht.learning.checkpoint import load_model

model = load_model(folders.checkpoints / "best")
features, _ = model.features_and_logits(dataset.matrices[:256])
print(f"{features.shape[1]} features a matrix; mean {features.mean():.3f}, standard deviation {features.std():.3f}")
for task, (scaler, _) in model.svms.items():
    scaled = scaler.transform(features.astype(float))
    print(f"before the SVM of {task}: mean {scaled.mean():.3f}, standard deviation {scaled.std():.3f}")

# %% [markdown]
# ## 4. SVM training / 训练 SVM
#
# An RBF SVM (C=10, gamma='scale') on these features, its probabilities calibrated on people it was not fitted on. It was
# fitted as the last step of training, on the features of the **best** epoch.
#
# 在这些特征上的 RBF SVM（C=10，gamma='scale'），其概率在未参与拟合的人身上校准。它在训练的最后一步，用**最佳**轮次的特征拟合。

# %%
for task, (_, calibrated) in model.svms.items():
    svm = calibrated.calibrated_classifiers_[0].estimator
    counts = ", ".join(f"{n} of {name}" for name, n in zip(svm.classes_, svm.n_support_, strict=True))
    print(f"{task}: {svm}, support vectors: {counts}")

# %% [markdown]
# ## 5. Validation / 验证
#
# On people never trained on, with the best weights. Classes by name, never by number. An interval over people says how far
# the score may move with other people like these.
#
# 在从未参与训练的人身上，用最佳权重评分。类别一律用名字，不用编号。按人计算的区间说明换一批类似的人，分数可能变动多少。

# %%
console.show_reports(result.reports, result.split_by)

# %%
draw_confusion(result.reports, pictures / "confusion.png", lang=LANG)
display(Image(pictures / "confusion.png", width=760))

# %% [markdown]
# ## 6. Test inference / 测试文件的预测
#
# Files called `Test*`, answered by the best weights; the same answers stand in `test_predictions.json`. *unsure*: more than
# one class can't be ruled out at the error rate the run promises (1 in 10).
#
# 以 `Test` 开头的文件，由最佳权重预测；同样的答案保存在 `test_predictions.json`。*unsure*：在承诺的错误率（十分之一）下，不能排除不止一个类别。

# %%
from semg_hht import open_run
from semg_hht.recordings.manifest import is_test_name

run = open_run(folders.checkpoints)
files = sorted(path for path in folders.data.rglob("*.npz") if is_test_name(path.name))
for prediction in run.predict(files, track=notebook.track).predictions if files else ():
    answers = (
        f"{task} {answer.prediction} {answer.confidence:.0%}{' unsure' if answer.is_unsure else ''}"
        for task, answer in prediction.answers.items()
    )
    print(f"{prediction.file:28} {'   '.join(answers)}")
if not files:
    print("no file is called Test*")

# %% [markdown]
# ## 7. Checkpoint saving / 保存检查点
#
# Everything was saved on the way, each file whole or not at all, and nothing is a pickle. `best` and `final` hold all that
# prediction needs, `last` what the next run goes on from. On Kaggle: *Save Version*; attach that version's output
# to the notebook, and it goes on there. Elsewhere: `semg-hht predict --checkpoint checkpoints --input new_data`.
#
# 训练过程中已全部保存，每个文件要么完整要么不存在，且没有 pickle。`best` 和 `final` 含有预测所需的一切，`last` 供下次接着训练。在 Kaggle 上：*Save Version*，
# 下次把该版本的输出附加到笔记本，就会接着训练。在别处：`semg-hht predict --checkpoint checkpoints --input new_data`。

# %%
for path in sorted(folders.checkpoints.rglob("*")):
    if path.is_file():
        print(f"{path.stat().st_size / 1e6:9.2f} MB   {path.relative_to(folders.checkpoints)}")
