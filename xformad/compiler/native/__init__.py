"""The back end that makes machine code, by llvmlite: loops over strided arrays in which many operations are fused."""
