"""`python -m pynet.gpucheck`: what needs a GPU, in one command. run.py has the steps."""
