"""What is done to an instance, one deed a class: its document, how it looks, does and undoes. ``book.DEEDS`` lists them."""
