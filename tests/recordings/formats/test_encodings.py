"""The guess between Windows-1252 and GB18030, on words of headers in many languages."""

from __future__ import annotations

import pytest

from semg_hht.recordings.formats.encodings import legacy_encoding

WESTERN = """
Größe größe GRÖßE Gefäß gemäß Füße Fußübung Maßänderung süß Rücken Bauchmuskel,Äußerer Übung Höhe
Créé créées Année Durée Fréquence Échantillon Côté Muscle supérieur Numéro d'échantillon Élévation
Año Compañía COMPAÑÍA riñón RIÑÓN Señal Contracción Músculo Bíceps muñeca tobillo España mañána
Contração CONTRAÇÃO Contrações CONTRAÇÕES Flexão Extensão Posição Braço Tração Sessão Estação
Pää pää PÄÄ Jännitys Lihas pääte hyvää yötä Käsi Näyte Sähkö Aikaväli
jäätis töö Käsi lihasjõud õõnes Aeg
Höger Vänster Lårmuskel Överarm Blåbär Tid
Håndled Blåøjet Højre Tærskel Ankelvinkel
Íþróttir æðar bláæð bréfið
vóór geëxtraheerd coördinatie
Attività Più Forza però Metà Qualità
µV Angle[°] 90° m/s² ±5 “EMG” EMG–1 N·m Nº
"""

CHINESE = """
时间 肌电 肱二头肌 肱三头肌 股四头肌 腓肠肌 胫骨前肌 桡侧腕屈肌 尺侧腕伸肌 三角肌 斜方肌 竖脊肌 臀大肌 腹直肌
左 右 上 下 内 外 前 后 力 角 时 屈 伸 手 腿 膝 踝 肘 腕 肩 胸 头 组 值
左biceps 右biceps EMG左 EMG右 EMG上 EMG下 EMG内 ACC上X CH右EMG L右R 第1通道 通道1 CH1肌电 EMG信号 肌A 右1
时间(s) 力(N) 角(°) 温度℃ 肌电（mV） EMG（mV） 角度（度） 采样率：1000 频率（Hz） 单位：μV 力[µV]
受试者 编号 性别 动作 半程 全程
右肱二头肌 左肱二头肌 表面肌电 关节角度 膝关节角度 加速度 陀螺仪 标签 疲劳 用力 序号 備註
"""


@pytest.mark.parametrize("word", WESTERN.split())
def test_words_of_western_languages(word: str) -> None:
    assert legacy_encoding(f"t,{word},EMG 1\n0.1,2,3\n".encode("cp1252")) == "cp1252" or word.isascii()


@pytest.mark.parametrize("word", CHINESE.split())
def test_chinese_words(word: str) -> None:
    assert legacy_encoding(f"t,{word},EMG 1\n0.1,2,3\n".encode("gb18030")) == "gb18030"
    assert legacy_encoding(word.encode("gb18030")) == "gb18030"


def test_one_chinese_word_of_two_characters_decides() -> None:
    """The character alone is the two letters of a word."""
    alone = "p腓t".encode("gb18030")
    assert alone.decode("cp1252").isalpha() and legacy_encoding(alone) == "cp1252"
    assert legacy_encoding("p腓t,时间".encode("gb18030")) == "gb18030"
