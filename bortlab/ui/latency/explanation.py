"""What the Latency page says about its method."""

from __future__ import annotations

from bortlab.analysis import latency as analysis

EXPLANATION = f"""
**How it is measured.** Every model runs in a process of its own, with a fixed number of threads that are pinned to
cores. What it computes is first compared with torch in float32. It runs until it is warm; then all take turns,
A B C, B C A, C A B, …, so that whatever else the machine does affects all alike. A turn is one call that does not count
and up to {analysis.MOST_CALLS} that do. The measurement ends when every model has had the least number of rounds *and*
of seconds.

**What is shown.** p50, p90 and p99 are the times that 50, 90 and 99% of the calls stay below; p90 needs 10 calls and
p99 needs 100. The 95% confidence intervals come from a bootstrap over rounds; for a ratio, the same rounds are drawn
for both sides. A difference is significant if the interval of the ratio excludes 1; where there is no difference, about
1 in 20 will be a false alarm. *Variation* is the standard deviation of the rounds' medians divided by their mean: above
10% the machine was busy.

**What is timed.** The forward pass of the encoder over whole sequences without padding; tokenising the text is not
included. Leaving out the masked-LM head matters: at every position it multiplies with the whole vocabulary, which costs
Bort more than all of its layers. Real architectures have random weights here: values do not change the time.

**Engines** are what `model.on(...)` opens. They are compared with torch at each length, one text at a time, with the
masked-LM head; the fastest is the one whose interval excludes all others, among those that compute in float32. Their
agreement with torch is measured on a few sentences. The lab's own choice, for its predictions, is a shorter measurement
and asks another engine to save at least a tenth.

**Scenarios**, in MLPerf's words: *single stream* is one sequence at a time (p90 is what counts), *offline* is a batch
at once (sequences a second are what counts). These are not MLPerf results: those prescribe data sets and ten minutes.

**Share of peak**: arithmetic (two operations for a multiply-add; matrix products and convolutions) per time, divided by
what one large matrix product reaches under the same conditions: the flat roof of the roofline model (Williams et al.
2009).

**Quality** is the share of held-out masked pieces that each mini gets right, from its card. The **Pareto front** is the
set of models that no other one beats in both speed and quality.
"""
