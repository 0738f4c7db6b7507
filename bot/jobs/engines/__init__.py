"""Who works on which job, and when. The job rows stay the truth."""
