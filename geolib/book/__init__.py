"""How results become a book: ledger, chapters, pages, reruns."""
