"""Assessment (顾客信息保护预案 五.3): every measure of the plan and the four risks, each with its evidence.

A measure is one small class in `agent.assess.measures.MEASURES`. What is not known scores nothing and says so: unknown
is never good. Weights and thresholds are data (`config/data/assess/measures.toml`), so that each point can be traced.
"""
