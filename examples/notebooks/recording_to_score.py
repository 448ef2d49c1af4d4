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
# # From a recording to a cross-validated score / 从一段记录到交叉验证得分
#
# Six recordings of elbow flexion come with the package: three men, each with a neutral and a supinated grip. This notebook looks
# at one of them, turns all repetitions into arrays and scores how well scikit-learn tells the two grips apart for a man it has
# not seen. It needs `pip install 'semg-hht[estimators]'` and runs in a minute.
#
# 软件包自带六段屈肘记录：三名男子，每人分别用中立位与旋后位握法。本笔记本先观察其中一段记录，再把所有动作变成数组，最后用 scikit-learn 检验：对没有见过的人，能否分辨两种握法。
# 需要 `pip install 'semg-hht[estimators]'`，一分钟内运行完毕。

# %%
import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import semg_hht as sh

# %% [markdown]
# ## 1. One recording / 一段记录
#
# The repetitions are found in the signal. The picture shows both muscles on one scale, with the envelope in blue.
#
# 动作由信号自动检出。图中两块肌肉使用同一刻度，蓝线为包络。

# %%
recording = sh.read_recording(sh.samples.recordings()["P30_supinated"])
repetitions = sh.find_repetitions(recording)
axes = sh.plot_recording(recording, repetitions)

# %% [markdown]
# ## 2. Arrays / 数组
#
# `read_repetitions` reads every recording of a manifest, filters it and cuts its repetitions: `X` (repetitions, channels, samples)
# in microvolts, `y` the label and `groups` the person of each. Shorter repetitions end with NaN.
#
# `read_repetitions` 读取清单中的每段记录，滤波并切出动作：`X`（动作、通道、采样点），单位微伏；`y` 是标签；`groups` 是受试者。较短的动作末尾用 NaN 补齐。

# %%
data = sh.read_repetitions(sh.samples.MANIFEST, segmentation=sh.SegmentConfig())
print("X", data.X.shape, "at", data.rate_hz, "Hz; channels", data.channel_names)
for label in np.unique(data.y):
    people, counts = np.unique(data.groups[data.y == label], return_counts=True)
    print(label, dict(zip(people.tolist(), counts.tolist(), strict=True)))

# %% [markdown]
# ## 3. What the transform sees / 变换看到什么
#
# Empirical mode decomposition splits a repetition into oscillations, the fastest first.
#
# 经验模态分解把一次动作分解为若干振荡，最快的在前。

# %%
signal = data.X[0, 0][np.isfinite(data.X[0, 0])]
axes = sh.plot_imfs(sh.hht.emd(signal), data.rate_hz, signal=signal, units="uV")

# %% [markdown]
# ## 4. A score for new people / 对新受试者的得分
#
# A pipeline measures classical features and classifies them. `LeaveOneGroupOut` with people as groups holds each man out once:
# no man is in the training and the test part of a fold.
#
# 流水线先计算经典特征，再分类。以受试者为组的 `LeaveOneGroupOut` 依次留出每名男子：同一人不会同时出现在训练和测试部分。

# %%
features = make_pipeline(sh.EmgFeatures(data.rate_hz), StandardScaler(), SVC(C=10))
scoring = "balanced_accuracy"
by_people = cross_val_score(features, data.X, data.y, groups=data.groups, cv=LeaveOneGroupOut(), scoring=scoring)
print("each man held out:", by_people.round(2), "mean", by_people.mean().round(2))

# %% [markdown]
# A random split gives a higher score, because it trains on the man it is tested on. It is not the score for a new person.
#
# 随机划分的得分更高，因为训练时已经见过被测的人；那不是对新受试者的得分。

# %%
at_random = cross_val_score(features, data.X, data.y, cv=KFold(3, shuffle=True, random_state=0), scoring=scoring)
print("repetitions held out at random:", at_random.round(2), "mean", at_random.mean().round(2))

# %% [markdown]
# ## 5. Other methods, and the choice between settings / 其他方法与参数选择
#
# Every step is an estimator, so methods are compared in one loop and settings are searched with people as groups.
#
# 每一步都是一个估计器，因此可以在一个循环里比较方法，并以受试者为组搜索参数。

# %%
methods = {
    "the most frequent grip": DummyClassifier(),
    "covariance of the channels": make_pipeline(sh.ChannelCovariance(data.rate_hz), StandardScaler(), SVC(C=10)),
    "the measures of semg-hht train": sh.RepetitionClassifier(data.rate_hz),
}
for name, method in methods.items():
    scores = cross_val_score(method, data.X, data.y, groups=data.groups, cv=LeaveOneGroupOut(), scoring=scoring)
    print(f"{name}: {scores.mean():.2f}")
search = GridSearchCV(features, {"svc__C": [0.1, 1, 10]}, cv=GroupKFold(3), scoring=scoring)
print("the best cost:", search.fit(data.X, data.y, groups=data.groups).best_params_)

# %% [markdown]
# ## 6. Your recordings / 你的记录
#
# Three people say little: the score of one of them moves the mean by a third. Give `read_repetitions` your own manifest with the
# columns `file, subject, movement`, and the same cells score your data. `semg-hht evaluate` gives intervals over people.
#
# 三个人说明不了多少：其中一人的得分就会使平均值变动三分之一。把你自己的清单（列 `file, subject, movement`）交给 `read_repetitions`，同样的单元格就能评估你的数据。
# `semg-hht evaluate` 还会给出按受试者计算的置信区间。
