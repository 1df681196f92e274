"""A selection becomes SQL and a compiled assembler: the only way in which anything is read.

selection   what was asked
entities    which field is which column (mapping: the words for it)
plan        what to read, as plain data
compile     the plan as one statement
assemble    rows to response
reading     plans cached, statements run, what was delivered counted
"""
