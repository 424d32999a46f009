"""The pipelines of one process, one or many: each has its own lease, flow and jobs, and shares what costs."""
