"""Chinese captions for the figures of `plots`, by their English text. Names of classes and files are not translated."""

from __future__ import annotations

import re

CHINESE = {
    "training (weighted, smoothed labels)": "训练（加权，标签平滑）",
    "training, each matrix": "训练，逐个矩阵",
    "validation, balanced, each repetition": "验证，平衡，按动作",
    "validation": "验证",
    "at the end of the epoch": "每轮结束时",
    "best epoch": "最佳轮次",
    "cross-entropy": "交叉熵",
    "balanced accuracy": "平衡准确率",
    "accuracy": "准确率",
    "learning rate": "学习率",
    "epoch": "轮次",
    "action quality": "动作质量",
    "gender": "性别",
    "predicted": "预测",
    "recorded": "登记",
    "Hilbert-Huang matrix": "希尔伯特-黄矩阵",
    "frequency (Hz)": "频率 (Hz)",
    "frequency bin": "频率格",
    "time (s)": "时间 (s)",
    "time bin": "时间格",
    "scaled power": "缩放后的功率",
    "channel": "通道",
}
_PHRASES = re.compile("|".join(re.escape(phrase) for phrase in sorted(CHINESE, key=len, reverse=True)))


def in_chinese(text: str) -> str:
    """Replace every phrase that has a Chinese text; the rest of ``text`` stays unchanged."""
    return _PHRASES.sub(lambda match: CHINESE[match.group()], text)
