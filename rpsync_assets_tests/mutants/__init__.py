"""Deliberate faults in the product's rules, each with its name: the tests are proven by catching every one.

faults       the faults: a file, what stands there, what stands there instead
catching     a copy of the package with one fault in it, and who looks at the copy
__main__     ``make mutants``: all of them, and a table
test_faults  that each still fits the product
"""
