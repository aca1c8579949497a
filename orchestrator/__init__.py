"""dtam: application-aware failover. The control plane and, under ``engine``, the data plane."""
