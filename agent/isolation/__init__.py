"""Network isolation as people order it: what is kept, how it is put up, looked after and told."""
