"""What the fuzzers aim at: each target checks one input, whatever bytes that is, and offers inputs to begin with.

A target is a module with check(data), which raises when something is wrong and returns what came out, and seeds(). It
needs neither a fuzzer nor a sanitizer: ci/fuzz.py runs targets under libFuzzer, by random mutation, on several threads,
or on a file that was found.
"""
