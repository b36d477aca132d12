"""The supervisor's own copy of its code, and re-executing it as a smaller process."""
