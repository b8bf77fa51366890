"""How it is said: terminal, one self-contained HTML file, JSON."""
