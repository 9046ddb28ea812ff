"""What the fuzzers aim at: each target checks one input, whatever bytes that is, and offers inputs to begin with.

A target is a module with check(data), which raises when something is wrong, and seeds(). It needs neither a fuzzer nor
a sanitizer: ci/fuzz.py runs targets under libFuzzer, by random mutation, or on a file that was found.
"""
