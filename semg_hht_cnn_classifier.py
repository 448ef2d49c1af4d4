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
# # sEMG-HHT: action quality and recorded gender / 动作质量与登记性别
#
# The input is surface EMG of exercise repetitions, as 256x256 Hilbert-Huang matrices. Each repetition gets two answers:
# **full, half or invalid** from a 7-layer CNN, and the **recorded gender** from an RBF SVM on the trained CNN's features.
# The notebook contains no model code: everything comes from the package `semg_hht`.
#
# 输入是训练动作的表面肌电，每次动作表示为 256x256 希尔伯特-黄矩阵。每次动作得到两个结果：7 层 CNN 判断动作**完整（full）、半程（half）还是无效（invalid）**，
# RBF SVM 根据训练好的 CNN 特征判断**登记的性别**。笔记本不含模型代码，全部功能来自软件包 `semg_hht`。
#
# **On Kaggle**: upload this notebook. With *Add Input*, attach the dataset HILBERTMATRIX_NPZ (or any dataset with such `.npz`
# files) and a dataset that contains this project (see the first cell). Under *Settings, Accelerator* choose GPU T4, then
# *Run All*. **Elsewhere**: run it in a clone. It reads `./data`, or simulates people if there is none. Without a GPU it trains
# a small network for a few minutes.
#
# **在 Kaggle 上**：上传本笔记本；用 *Add Input* 添加数据集 HILBERTMATRIX_NPZ（或任何含此类 `.npz` 的数据集），以及含有本项目的数据集（见第一个单元格）；
# 在 *Settings, Accelerator* 选择 GPU T4，然后 *Run All*。**在其他环境**：在克隆的仓库里运行。它读取 `./data`，没有时使用模拟受试者。没有 GPU 时训练小网络，只需几分钟。

# %% [markdown]
# ## 0. The package / 软件包
#
# This cell does nothing if `semg_hht` is installed. On Kaggle, attach a dataset with one of the following. Without internet: a
# folder of wheels, made in a clone on Linux with
# `pip wheel --no-deps --wheel-dir wheels . skops prettytable wcwidth lightning-fabric lightning-utilities`
# (Kaggle has the other packages). With internet: a copy of this repository. `SOURCE` may name anything else that pip can install.
#
# 已安装 `semg_hht` 时，本单元格不做任何事。在 Kaggle 上请附加一个数据集，内容为下列之一。不联网：一个 wheel 文件夹，在 Linux 上的克隆仓库中用上面的命令生成
# （其余软件包 Kaggle 已有）。联网：本仓库的副本。`SOURCE` 也可以是 pip 能安装的任何来源。

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
# The defaults are suitable as they are: the full network on a GPU, a small one on a CPU. If a run was interrupted, run the
# notebook again to continue it. After a change of data or settings, `BEGIN_ANEW = True` discards the existing run and starts
# again. `LANG = "zh"` writes Chinese into the pictures if the system has a Chinese font.
#
# 默认值可直接使用：有 GPU 用完整网络，只有 CPU 用小网络。训练中断后，再次运行笔记本即可续训。改变数据或设置后，用 `BEGIN_ANEW = True` 放弃已有的训练并重新开始。
# `LANG = "zh"` 使图中的文字为中文（系统需有中文字体；Kaggle 联网时可运行 `!apt-get install -y fonts-wqy-microhei`）。

# %% tags=["parameters"]
import torch

GPU = torch.cuda.is_available()
EPOCHS = 100 if GPU else 15
BASE_CHANNELS = 64 if GPU else 8
LEARNING_RATE = 1e-4 if GPU else 1e-3
TEST_SIZE = 0.2  # share of people held out for the final score / 留作最终评分的受试者比例
N_SIMULATED = 96  # matrices to simulate if there is no data / 没有数据时模拟的矩阵数
BEGIN_ANEW = False
LANG = "en"

# %% [markdown]
# ## 1. Data loading / 数据加载
#
# The labels come from the file names, such as `BICEPS_fatiguetest_M_006.npz`, or from a `manifest.csv`. Files whose names start
# with `Test` have no labels; section 6 predicts them.
#
# 标签来自文件名，如 `BICEPS_fatiguetest_M_006.npz`，或来自 `manifest.csv`。文件名以 `Test` 开头的文件没有标签，在第 6 节预测。

# %%
from IPython.display import Image, display

import semg_hht as sh
from semg_hht import notebook
from semg_hht.cli import console, scores

console.listen()
folders = notebook.find_folders(kaggle=KAGGLE)
if folders.source == "simulated" and not folders.data.is_dir():
    notebook.simulate_matrices(folders.data, N_SIMULATED)
if notebook.bring_back(folders):
    print(f"continuing the run of an earlier notebook version: {folders.earlier}")
dataset = sh.load_dataset(folders.data, work=sh.Work(track=notebook.track, say_failures=console.list_failures))
print(f"\n{folders.source} data: {len(dataset)} matrices in {folders.data}; the run goes to {folders.checkpoints}")
for task, names in dataset.classes().items():
    print(f"  {task}: " + ", ".join(f"{name} {dataset.labels(task).count(name)}" for name in names))
print(f"  without labels: {sum(not (row.movement or row.gender) for row in dataset.rows)}")

# %% [markdown]
# One matrix per class: frequency over time. The axes have units only if the file contains them.
#
# 每一类的一个矩阵：频率随时间的变化。文件含有坐标轴数据时才标出 Hz 和秒。

# %%
from semg_hht.figures.plots import draw_confusion, draw_history, draw_matrices

pictures = folders.checkpoints.parent / "pictures"
pictures.mkdir(exist_ok=True)
draw_matrices(notebook.one_of_each(folders.data, dataset), pictures / "matrices.png", lang=LANG)
display(Image(pictures / "matrices.png", width=900))

# %% [markdown]
# ## 2. Feature extraction: the CNN is trained / 特征提取：训练 CNN
#
# The CNN has seven layers. Each layer halves the map, and most double the channels. Global average pooling then gives one
# feature vector per matrix (2048 numbers with 64 base channels). Some people are held out for the final score, others choose
# the best epoch. If file names or a manifest identify the people, nobody is in two of these groups.
#
# CNN 有七层，每层把特征图缩小一半，多数层把通道数加倍。全局平均池化随后给出每个矩阵的特征向量（基础通道为 64 时有 2048 个数）。
# 一部分受试者留作最终评分，另一部分用来选择最佳轮次。只要文件名或清单标明了受试者，同一个人不会出现在两组中。

# %%
config = sh.TrainingConfig(epochs=EPOCHS, learning_rate=LEARNING_RATE, test_size=TEST_SIZE)
with notebook.TrainingBar() as bar:
    result = sh.train(
        dataset,
        folders.checkpoints,
        training=config,
        size=sh.NetworkSize(base_channels=BASE_CHANNELS),
        options=sh.RunOptions(resume=not BEGIN_ANEW, overwrite=BEGIN_ANEW),
        work=sh.Work(progress=bar.progress()),
    )
print(f"best epoch {result.best_epoch} of {len(result.history)}; people are identified by {result.split_by}")

# %%
draw_history(result.history, result.best_epoch, pictures / "history.png", lang=LANG)
display(Image(pictures / "history.png", width=900))

# %% [markdown]
# ## 3. Normalisation / 标准化
#
# StandardScaler gives each feature mean 0 and variance 1 over the people that the SVM was fitted on.
#
# StandardScaler 使每个特征在拟合 SVM 的受试者上均值为 0、方差为 1。

# %%
model = sh.open_run(folders.checkpoints, cpu=True).engine
features, _ = model.features_and_logits(dataset.matrices[:256])
print(f"{features.shape[1]} features a matrix; mean {features.mean():.3f}, standard deviation {features.std():.3f}")
for task, (scaler, _) in model.svms.items():
    scaled = scaler.transform(features.astype(float))
    print(f"before the SVM of {task}: mean {scaled.mean():.3f}, standard deviation {scaled.std():.3f}")

# %% [markdown]
# ## 4. SVM training / 训练 SVM
#
# An RBF SVM (C=10, gamma='scale') uses these features. Its probabilities are calibrated on people held out from its fit. The last
# step of training fitted it on the features of the **best** epoch.
#
# RBF SVM（C=10，gamma='scale'）以这些特征为输入，其概率在未参与拟合的受试者身上校准。它在训练的最后一步，用**最佳**轮次的特征拟合。

# %%
for task, (_, calibrated) in model.svms.items():
    svm = calibrated.calibrated_classifiers_[0].estimator
    counts = ", ".join(f"{n} of {name}" for name, n in zip(svm.classes_, svm.n_support_, strict=True))
    print(f"{task}: {svm}, support vectors: {counts}")

# %% [markdown]
# ## 5. Validation / 验证
#
# The scores are computed with the best weights on people held out from training. Classes have names, not numbers. The interval
# over people shows how much the score may change with other, similar people.
#
# 用最佳权重在未参与训练的受试者身上评分。类别一律用名称，不用编号。按受试者计算的区间说明，换一批类似的受试者，得分可能变动多少。

# %%
scores.show_reports(result.reports, result.split_by)

# %%
draw_confusion(result.reports, pictures / "confusion.png", lang=LANG)
display(Image(pictures / "confusion.png", width=760))

# %% [markdown]
# ## 6. Test inference / 测试文件的预测
#
# The best weights predict the files whose names start with `Test`; `test_predictions.json` contains the same answers. *unsure*
# means that more than one class remains possible at the run's error rate (1 in 10).
#
# 用最佳权重预测文件名以 `Test` 开头的文件；同样的结果保存在 `test_predictions.json`。*unsure* 表示在规定的错误率（十分之一）下，不止一个类别仍然可能。

# %%
run = sh.open_run(folders.checkpoints)
files = sorted(path for path in folders.data.rglob("*.npz") if path.name.lower().startswith("test"))
for prediction in run.predict(files, track=notebook.track).predictions if files else ():
    answers = (
        f"{task} {answer.prediction} {answer.confidence:.0%}{' unsure' if answer.is_unsure else ''}"
        for task, answer in prediction.answers.items()
    )
    print(f"{prediction.file:28} {'   '.join(answers)}")
if not files:
    print("there is no file named Test*")

# %% [markdown]
# ## 7. Checkpoint saving / 保存检查点
#
# Training has saved everything as it went. No file is incomplete, and none is a pickle. `best` and `final` contain everything that
# prediction needs; `last` contains what is needed to continue. On Kaggle, use *Save Version*; attach the output of that version to
# the notebook, and training continues from it. Elsewhere: `semg-hht predict --checkpoint checkpoints --input new_data`.
#
# 训练过程中已保存全部内容。没有不完整的文件，也没有 pickle。`best` 和 `final` 含有预测所需的全部内容，`last` 用于续训。在 Kaggle 上使用 *Save Version*，
# 再把该版本的输出附加到笔记本，训练就从那里继续。在其他环境：`semg-hht predict --checkpoint checkpoints --input new_data`。

# %%
for path in sorted(folders.checkpoints.rglob("*")):
    if path.is_file():
        print(f"{path.stat().st_size / 1e6:9.2f} MB   {path.relative_to(folders.checkpoints)}")

# %% [markdown]
# ## A real recording / 一段真实的记录
#
# Real recordings come with the package (elbow flexion with two grips, CC0), and a small run that was trained on other men. Your own
# recordings take the same steps: read, find the repetitions, answer. The first line below says what the run answers and how right it is.
#
# 软件包自带真实记录（用两种握法屈肘，CC0），以及一个用另外的人训练的小模型。你自己的记录步骤相同：读取、检测每次动作、判断。下面的第一行说明
# 这个模型判断什么，准确度如何（英文）。

# %%
from semg_hht.figures.repetitions_picture import draw_repetitions

print(sh.samples.about_run().description, "\n")
recording = sh.read_recording(sh.samples.recordings()["P30_supinated"])
spans = [(r.start_s, r.stop_s, r.confidence) for r in sh.find_repetitions(recording)]
draw_repetitions(recording.samples[0], recording.rate_hz, recording.units, spans, pictures / "real.png")
for prediction in sh.open_run(sh.samples.RUN).predict(sh.samples.MANIFEST, track=notebook.track).predictions:
    answer = prediction.answers["action_quality"]
    print(f"{prediction.file:20} {answer.prediction} {answer.confidence:.0%}{' unsure' if answer.is_unsure else ''}")
display(Image(pictures / "real.png", width=900))
