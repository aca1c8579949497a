"""Who a server is to its clients: addresses, names, shares and service principal names, taken over and given back."""
