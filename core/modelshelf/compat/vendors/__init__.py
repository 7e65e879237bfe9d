"""Graphics cards by what their makers' drivers and tools say. Tested on recorded answers, not run on hardware."""
