//! What a contained command may reach on the network: host rules, proxy and name server.
