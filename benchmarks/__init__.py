"""What the documentation claims, measured: ours and the peers side by side in one run. One command each."""
